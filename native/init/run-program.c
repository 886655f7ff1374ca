#include "init/run-program.h"

#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/monitor.h"
#include "init/syscall.h"

#define STATUS_FD 3
#define NEVER UINT64_MAX
#define NS_PER_MS 1000000u

// Input is a file in memory and not a pipe: there is nobody to be blocked by, and nothing that could raise SIGPIPE.
static long input_of(const struct program *program) {
  if (program->input == NULL) return sys(__NR_openat, AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC);
  const long fd = sys(__NR_memfd_create, "input", 1 /* MFD_CLOEXEC */);
  if (fd < 0) return fd;
  const long written = sys(__NR_pwrite64, fd, program->input, program->input_length, 0);
  if (written == (long)program->input_length) return fd;
  sys(__NR_close, fd);
  return written < 0 ? written : -ENOSPC;
}

// The status pipe closes with a successful exec; otherwise it carries the reason. The group is the program's own, so
// that what it started ends with it when its time is up.
static _Noreturn void become(const struct program *program, int input, int output, int status) {
  sys(__NR_setpgid, 0, 0);
  const long staged = sys(__NR_fcntl, status, F_DUPFD_CLOEXEC, 64);
  sys(__NR_dup3, input, 0, 0);
  sys(__NR_dup3, output, 1, 0);
  sys(__NR_dup3, output, 2, 0);
  sys(__NR_dup3, staged, STATUS_FD, O_CLOEXEC);
  sys(__NR_close_range, STATUS_FD + 1, ~0u, 0);
  sys(__NR_umask, 022);
  const int error = (int)sys(__NR_execve, program->path, program->arguments, program->environment);
  sys(__NR_write, STATUS_FD, &error, sizeof error);
  quit(127);
}

static long spawn(const struct program *program, int output, int status, int *pidfd) {
  const long input = input_of(program);
  if (input < 0) return input;
  struct clone_args arguments = {.flags = CLONE_PIDFD, .pidfd = (uint64_t)pidfd, .exit_signal = SIGNAL_CHILD};
  const long pid = sys(__NR_clone3, &arguments, sizeof arguments);
  if (pid == 0) become(program, (int)input, output, status);
  sys(__NR_close, input);
  return pid;
}

static uint64_t now_ns(void) {
  struct __kernel_timespec now = {0};
  sys(__NR_clock_gettime, 1 /* CLOCK_MONOTONIC */, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// False when nothing more will come. What has no room is read and dropped: a program that floods its output is not
// held up by us.
static bool drain(const struct program *program, int pipe, struct text *kept) {
  char chunk[4096];
  const long count = sys(__NR_read, pipe, chunk, sizeof chunk);
  if (count == -EINTR || count == -EAGAIN) return count == -EINTR;
  if (count <= 0) return false;
  if (program->output != NULL) text_add_count(kept, chunk, (size_t)count);
  return true;
}

// Until the program itself has ended; grandchildren may keep the pipe open as long as they like.
static bool wait_until(const struct program *program, int pidfd, int pipe, uint64_t deadline) {
  struct text kept = {program->output, program->output_size, 0};
  if (program->output != NULL) text_add(&kept, "");
  for (;;) {
    const uint64_t now = now_ns();
    if (now >= deadline) return false;
    struct pollfd polled[2] = {{pidfd, POLLIN, 0}, {pipe, POLLIN, 0}};
    const uint64_t left = deadline - now;
    const struct __kernel_timespec timeout = {(int64_t)(left / 1000000000u), (long long)(left % 1000000000u)};
    sys(__NR_ppoll, polled, 2, deadline == NEVER ? 0 : &timeout, 0, 0);
    const bool ended = polled[0].revents != 0;
    for (int rounds = ended ? 64 : 1; polled[1].revents != 0 && rounds > 0 && drain(program, pipe, &kept); rounds--) {
    }
    if ((polled[1].revents & (POLLHUP | POLLERR)) != 0 && (polled[1].revents & POLLIN) == 0) pipe = -1;
    if (ended) return true;
  }
}

static long status_of(int pid, int pidfd, bool in_time) {
  if (!in_time) {
    sys(__NR_kill, -pid, SIGNAL_KILL);
    sys(__NR_pidfd_send_signal, pidfd, SIGNAL_KILL, 0, 0);
  }
  const struct exit_facts facts = exit_facts_of(pidfd, -1);
  return in_time ? (long)facts.code : -ETIMEDOUT;
}

long run_program(const struct program *program) {
  int output[2], status[2], pidfd = -1, error = 0;
  long result = sys(__NR_pipe2, output, O_CLOEXEC);
  if (result < 0) return result;
  result = sys(__NR_pipe2, status, O_CLOEXEC);
  if (result >= 0) {
    result = spawn(program, output[1], status[1], &pidfd);
    sys(__NR_close, output[1]);
    sys(__NR_close, status[1]);
    if (result > 0) {
      const bool failed = sys(__NR_read, status[0], &error, sizeof error) == sizeof error;
      const uint64_t deadline = program->timeout_ms == 0 ? NEVER : now_ns() + (uint64_t)program->timeout_ms * NS_PER_MS;
      sys(__NR_fcntl, output[0], F_SETFL, O_NONBLOCK);
      result = status_of((int)result, pidfd, wait_until(program, pidfd, output[0], deadline));
      if (failed) result = error;
      sys(__NR_close, pidfd);
    }
    sys(__NR_close, status[0]);
  }
  sys(__NR_close, output[0]);
  return result;
}
