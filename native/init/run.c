// The list runner and the one way to fail.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/message.h"
#include "init/syscall.h"

enum side { SIDE_PARENT, SIDE_CHILD, SIDE_ZYGOTE };

void quit(int status) {
  for (;;) sys(__NR_exit_group, status);
}

// A process that is not our child (a recorded plan's container) is waited for by its pidfd.
static void end_child(void) {
  if (self.child_pidfd < 0) return;
  sys(__NR_pidfd_send_signal, self.child_pidfd, SIGNAL_KILL, 0, 0);
  if (sys(__NR_waitid, P_PIDFD, self.child_pidfd, 0, WEXITED | __WALL, 0) != -ECHILD) return;
  const struct __kernel_timespec bound = {.tv_sec = 10};
  struct pollfd ended = {self.child_pidfd, POLLIN, 0};
  sys(__NR_ppoll, &ended, 1, &bound, 0, 0);
}

static enum side side_of_self(void) { return self.is_child ? SIDE_CHILD : self.is_zygote ? SIDE_ZYGOTE : SIDE_PARENT; }

uint32_t describe_failure(struct failure *failure, const char *call, long error, const char *bytes, size_t length) {
  *failure = (struct failure){.side = side_of_self(), .step = self.step, .error = (uint32_t)-error};
  struct text name = {failure->call, sizeof failure->call, 0};
  struct text file = {failure->path, sizeof failure->path, 0};
  text_add(&name, call);
  text_add_count(&file, bytes, length);
  return (uint32_t)(sizeof *failure - sizeof failure->path + file.length);
}

void send_failure(int socket, const char *call, long error, const char *path) {
  struct failure failure;
  const char *bytes = path == NULL ? "" : path;
  const uint32_t size = describe_failure(&failure, call, error, bytes, length_of(bytes));
  send_frame(socket, FRAME_FAILURE, &failure, size, -1);
}

void fail_with(const char *call, long error, const char *bytes, size_t length) {
  struct failure failure;
  const uint32_t size = describe_failure(&failure, call, error, bytes, length);
  if (!self.is_child) end_child();
  send_frame(self.report, FRAME_FAILURE, &failure, size, -1);
  quit(1);
}

void fail(const char *call, long error, const char *path) {
  fail_with(call, error, path == NULL ? "" : path, path == NULL ? 0 : length_of(path));
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

static const uint32_t *after(const uint32_t *words) { return words + 1 + (words[0] >> 16); }

void run_list(const struct plan_list *list) {
  const uint32_t *words = list->words;
  self.list = list;
  for (uint32_t i = 0; i < list->count; i++, words = after(words)) {
    if (self.skipped > 0) {
      self.skipped--;
      continue;
    }
    self.step = i;
    run_operation(words[0] & 0xffff, words + 1);
  }
}

void run_following(uint32_t count) {
  const uint32_t first = self.step + 1, left = self.list->count - first;
  const uint32_t end = first + (count < left ? count : left);
  const uint32_t *words = self.list->words;
  for (uint32_t i = 0; i < end; i++, words = after(words)) {
    if (i < first) continue;
    self.step = i;
    run_operation(words[0] & 0xffff, words + 1);
  }
}
