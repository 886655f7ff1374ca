#include "front/front.h"
#include "init/linux.h"
#include "init/syscall.h"

struct front front;

void quit(int status) {
  for (;;) sys(__NR_exit_group, status);
}

// The kernel leaves argc, the arguments, NULL, the environment, NULL.
__attribute__((used)) static void begin(const long *stack) {
  front.arguments = (char **)(stack + 1);
  front.environment = front.arguments + stack[0] + 1;
  front.root_fd = front.state_fd = front.pidfd = -1;
  if (stack[0] < 1 || !read_words()) hand_on();
  run_verb();
  quit(0);
}

ENTRY_POINT(begin);
