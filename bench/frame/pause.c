// The pause image of containerd's sandboxes: a process that only waits to be killed.
#include <unistd.h>

int main(void) {
  for (;;) pause();
}
