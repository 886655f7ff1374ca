// A reader that is gone must not end us by a signal: the write says so.
#include <stdint.h>

#include "front/front.h"
#include "init/linux.h"
#include "init/syscall.h"

struct signal_action {
  void *handler;
  unsigned long flags;
  void *restorer;
  uint64_t mask;
};

void ignore_broken_pipe(void) {
  const struct signal_action ignored = {.handler = (void *)1};
  sys(__NR_rt_sigaction, SIGNAL_PIPE, &ignored, 0, sizeof ignored.mask);
}
