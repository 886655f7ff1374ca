// The list runner and the one way to fail.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/message.h"
#include "init/syscall.h"

enum side { SIDE_PARENT, SIDE_CHILD, SIDE_ZYGOTE };

struct failure {
  uint32_t side;
  uint32_t step;
  uint32_t error;
  char call[28];
  char path[PATH_BYTES - 64];
};

void quit(int status) {
  for (;;) sys(__NR_exit_group, status);
}

static void end_child(void) {
  if (self.child_pidfd < 0) return;
  sys(__NR_pidfd_send_signal, self.child_pidfd, SIGNAL_KILL, 0, 0);
  sys(__NR_waitid, P_PIDFD, self.child_pidfd, 0, WEXITED | __WALL, 0);
}

static enum side side_of_self(void) { return self.is_child ? SIDE_CHILD : self.is_zygote ? SIDE_ZYGOTE : SIDE_PARENT; }

void send_failure(int socket, const char *call, long error, const char *path) {
  struct failure failure = {.side = side_of_self(), .step = self.step, .error = (uint32_t)-error};
  struct text name = {failure.call, sizeof failure.call, 0};
  struct text file = {failure.path, sizeof failure.path, 0};
  text_add(&name, call);
  text_add(&file, path == NULL ? "" : path);
  const uint32_t length = (uint32_t)(sizeof failure - sizeof failure.path + file.length);
  send_frame(socket, FRAME_FAILURE, &failure, length, -1);
}

void fail(const char *call, long error, const char *path) {
  if (!self.is_child) end_child();
  send_failure(self.report, call, error, path);
  quit(1);
}

long check(long result, const char *call, const char *path) {
  if (result < 0) fail(call, result, path);
  return result;
}

void forward_failure(const void *payload, uint32_t length) {
  end_child();
  send_frame(self.report, FRAME_FAILURE, payload, length, -1);
  quit(1);
}

static void run_operation(uint32_t code, const uint32_t *words) {
  switch (code) {
#define X(number, name, kinds)     \
  case number:                     \
    operation_##name(words);       \
    break;
    PLAN_OPERATIONS(X)
#undef X
    default:
      fail("plan", -ENOSYS, "operation");
  }
}

void run_list(const struct plan_list *list) {
  const uint32_t *words = list->words;
  for (uint32_t i = 0; i < list->count; i++) {
    self.step = i;
    run_operation(words[0] & 0xffff, words + 1);
    words += 1 + (words[0] >> 16);
  }
}
