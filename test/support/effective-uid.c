// The program of critest's "nonewprivs" image, where it has the set-user-ID bit.
#include <stdio.h>
#include <unistd.h>

int main(void) {
  printf("Effective uid: %d\n", (int)geteuid());
  return 0;
}
