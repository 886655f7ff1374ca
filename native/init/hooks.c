// Hooks: programs that the configuration asks for at points of the container's life (runtime-spec, config.md
// "POSIX-platform Hooks"). Which, when, with what state on stdin and what a failure means is the plan's.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/message.h"
#include "init/process.h"
#include "init/run-program.h"
#include "init/syscall.h"

#define HOOK_IN_ROOT 1     // its directory is the container's root
#define HOOK_KEEP_GOING 2  // a failure is told, and the list goes on
#define HOOK_WATCH 4       // it ends with whoever waits for this list

#define NO_HOLE 0xffffffffu

static void prepare(const void *argument) { run_following(*(const uint32_t *)argument); }

// The state with the pid in its hole: as this side sees the container's first process, which in the child is itself.
static void fill_input(struct slice *input, const uint32_t *words, char *number, size_t size) {
  const char *bytes = text_at(words[5]);
  const uint32_t length = words[6], hole = words[7];
  input[0] = (struct slice){bytes, hole < length ? hole : length};
  if (hole == NO_HOLE || hole > length) return;
  struct text text = {number, size, 0};
  text_add_number(&text, self.is_child ? sys(__NR_getpid) : self.child_pid);
  input[1] = (struct slice){number, text.length};
  input[2] = (struct slice){bytes + hole, length - hole};
}

// The parent's own end, and the child's: a program must not outlive what it was run for.
static void watch(struct pollfd *watched) {
  watched[0] = (struct pollfd){self.is_child ? self.sync : self.control, POLLRDHUP, 0};
  watched[1] = (struct pollfd){self.is_child ? -1 : self.child_pidfd, POLLIN, 0};
}

// What was appended to a file since `before`, as if it had been captured.
static void read_back(int file, long before, struct program_result *result) {
  if (file < 0 || before < 0) return;
  const long end = sys(__NR_lseek, file, 0, 2 /* SEEK_END */);
  long from = end - PROGRAM_ERRORS_MAX;
  if (from < before) from = before;
  const long count = sys(__NR_pread64, file, result->errors, PROGRAM_ERRORS_MAX, from);
  result->errors_length = count > 0 ? (size_t)count : 0;
}

// name, what kind of end, path, the end of standard error: each ends with NUL, but for the last.
static void tell(const uint32_t *words, const char *kind, long value, const struct program_result *result) {
  char bytes[PATH_BYTES - 64];
  struct text text = {bytes, sizeof bytes, 0};
  const char *parts[] = {text_at(words[13]), kind, text_at(words[0])};
  for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
    text_add_count(&text, parts[i], length_of(parts[i]) < 256 ? length_of(parts[i]) : 256);
    text_add_count(&text, "", 1);
  }
  text_add_count(&text, result->errors, result->errors_length);
  if ((words[14] & HOOK_KEEP_GOING) == 0) fail_with("hook", -value, bytes, text.length);
  struct failure failure;
  const uint32_t size = describe_failure(&failure, "hook", -value, bytes, text.length);
  send_frame(self.control, FRAME_HOOK_WARNING, &failure, size, -1);
}

// Whoever waited is gone, or hung up; in the child that is the parent, and nobody is left to be told.
static _Noreturn void abandon(uint32_t which) {
  if (self.is_child) quit(1);
  if (which == 0) fail("control", -ECANCELED, NULL);
  fail("hook", -ESRCH, NULL);
}

static void judge(const uint32_t *words, const struct program_result *result) {
  switch (result->end) {
    case PROGRAM_EXITED:
      if (result->value != 0) tell(words, "exit", result->value, result);
      return;
    case PROGRAM_KILLED:
      return tell(words, "signal", result->value, result);
    case PROGRAM_LATE:
      return tell(words, "timeout", (long)(plan_wide(words + 8) / 1000), result);
    case PROGRAM_REFUSED:
      return tell(words, result->call, result->value, result);
    case PROGRAM_ABANDONED:
      abandon(result->value);
  }
}

void operation_runProgram(const uint32_t *words) {
  struct program_result result;
  char number[24];
  const char *directory = text_at(words[10]);
  struct program_request request = {.path = text_at(words[0]),
                                    .arguments = argument_pointers(words[1], words[2]),
                                    .environment = argument_pointers(words[3], words[4]),
                                    .directory = *directory == '\0' ? NULL : directory,
                                    .directory_fd = (words[14] & HOOK_IN_ROOT) != 0 ? self.root : -1,
                                    .output = slot_fd(words[11]),
                                    .errors = slot_fd(words[12]),
                                    .timeout_ms = plan_wide(words + 8),
                                    .watched = {{-1, 0, 0}, {-1, 0, 0}},
                                    .prepare = prepare,
                                    .argument = &words[15]};
  fill_input(request.input, words, number, sizeof number);
  if ((words[14] & HOOK_WATCH) != 0) watch(request.watched);
  self.skipped = words[15];
  const long before = request.errors < 0 ? -1 : sys(__NR_lseek, request.errors, 0, 2 /* SEEK_END */);
  run_program(&request, &result);
  release_pointers(request.arguments, words[2]);
  release_pointers(request.environment, words[4]);
  read_back(request.errors, before, &result);
  judge(words, &result);
}

static void return_to(const char *namespace, uint64_t type) {
  const long fd = sys(__NR_openat, AT_FDCWD, namespace, O_RDONLY | O_CLOEXEC);
  if (fd == -ENOENT) return;  // the kernel has none of that type
  check(fd, "openat", namespace);
  check(sys(__NR_setns, fd, type), "setns", namespace);
  sys(__NR_close, fd);
}

// Children of ours were to be born into the container's pid and time namespaces. Hooks of the runtime's are not.
void operation_ownNamespaces(const uint32_t *words) {
  (void)words;
  return_to("/proc/self/ns/pid", CLONE_NEWPID);
  return_to("/proc/self/ns/time", CLONE_NEWTIME);
}

// The container of a recorded plan, from the file that recordProcess wrote. When it has ended its pid is still told.
void operation_readProcess(const uint32_t *words) {
  const char *name = text_at(words[1]);
  char line[64];
  const long fd = check(sys(__NR_openat, slot_fd(words[0]), name, O_RDONLY | O_CLOEXEC), "openat", name);
  const long length = check(sys(__NR_read, fd, line, sizeof line - 1), "read", name);
  sys(__NR_close, fd);
  line[length] = '\0';
  uint64_t pid = 0, ticks = 0;
  const char *rest = number_at(line, &pid);
  number_at(*rest == ' ' ? rest + 1 : rest, &ticks);
  self.child_pid = (int)pid;
  const long pidfd = sys(__NR_pidfd_open, self.child_pid, 0);
  if (pidfd >= 0 && start_ticks(self.child_pid) == ticks)
    self.child_pidfd = (int)pidfd;
  else if (pidfd >= 0)
    sys(__NR_close, pidfd);
}

void operation_reportDone(const uint32_t *words) {
  (void)words;
  const uint32_t well = 0;
  send_frame(self.control, FRAME_DONE, &well, sizeof well, -1);
}
