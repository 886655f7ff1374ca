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
  front.root_fd = front.state_fd = front.pidfd = front.service = -1;
  front.log_fd = 2;
  if (stack[0] < 1) hand_on();
  if (!read_words()) {
    try_service();
    hand_on();
  }
  run_verb();
  quit(0);
}

ENTRY_POINT(begin);
