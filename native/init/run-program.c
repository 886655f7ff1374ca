// The program starts clean: a session of its own, default signals (begin() reset ours), the caller's umask, and no
// descriptor but 0 to 2. It dies with us. It is a copy of this process, some dozen pages, until it executes; what
// stops it before that is told as the plan's child tells a failure, on a socket that the exec closes.
#include "init/run-program.h"

#include "init/clock.h"
#include "init/init.h"
#include "init/memory.h"
#include "init/message.h"
#include "init/monitor.h"
#include "init/socket.h"
#include "init/syscall.h"

#define STATUS_FD 3
#define DRAIN_READS_MAX 64
#define SET_FLAGS_NONBLOCK (O_WRONLY | O_NONBLOCK)

#define MEMFD_CLOEXEC 1
#define MEMFD_NOEXEC_SEAL 8

struct running {
  int pid;
  int pidfd;
  int errors;
  int status;
};

static bool write_slices(int fd, const struct slice *slices) {
  for (int i = 0; i < 3; i++) {
    if (slices[i].length == 0) continue;
    if (sys(__NR_write, fd, slices[i].at, slices[i].length) != (long)slices[i].length) return false;
  }
  return true;
}

// Where vm.memfd_noexec is 2, only files that are never programs may be made; older kernels (6.2) refuse that flag.
static int file_in_memory(void) {
  long file = sys(__NR_memfd_create, "stdin", MEMFD_CLOEXEC | MEMFD_NOEXEC_SEAL);
  if (file == -EINVAL) file = sys(__NR_memfd_create, "stdin", MEMFD_CLOEXEC);
  return (int)check(file, "memfd_create", "stdin");
}

// A pipe that holds everything before the program begins, so nobody has to wait for its reading; what is longer
// than a pipe is a file in memory.
static int input_of(const struct program_request *request) {
  int ends[2];
  check(sys(__NR_pipe2, ends, O_CLOEXEC), "pipe2", "stdin");
  check(sys(__NR_fcntl, ends[1], F_SETFL, SET_FLAGS_NONBLOCK), "fcntl", "stdin");
  const bool fits = write_slices(ends[1], request->input);
  sys(__NR_close, ends[1]);
  if (fits) return ends[0];
  sys(__NR_close, ends[0]);
  const int file = file_in_memory();
  if (!write_slices(file, request->input)) fail("write", -ENOSPC, "stdin");
  check(sys(__NR_lseek, file, 0, 0), "lseek", "stdin");
  return file;
}

static void place(int input, int output, int errors, int status) {
  const int wanted[3] = {input, output < 0 ? 0 : output, errors};
  int staged[3];
  for (int i = 0; i < 3; i++)
    staged[i] = (int)check(sys(__NR_fcntl, wanted[i], F_DUPFD_CLOEXEC, STATUS_FD), "fcntl", NULL);
  for (int i = 0; i < 3; i++) check(sys(__NR_dup3, staged[i], i, 0), "dup3", NULL);
  if (status != STATUS_FD) check(sys(__NR_dup3, status, STATUS_FD, O_CLOEXEC), "dup3", NULL);
  sys(__NR_close_range, STATUS_FD + 1, ~0u, 0);
  self.report = STATUS_FD;
}

static void enter(const struct program_request *request) {
  if (request->directory_fd >= 0)
    check(sys(__NR_fchdir, request->directory_fd), "chdir", "/");
  // What names the directory may be gone by now (a bundle that was removed): that is no reason not to run.
  else if (request->directory != NULL && sys(__NR_chdir, request->directory) < 0)
    sys(__NR_chdir, "/");
}

static _Noreturn void become(const struct program_request *request, int input, int errors, int status, long parent) {
  self.report = status;
  self.child_pidfd = -1;
  sys(__NR_setsid);
  enter(request);
  place(input, request->output, errors, status);
  sys(__NR_umask, self.umask);
  if (request->prepare != NULL) request->prepare(request->argument);
  // After the change of user, which clears it. 0: our parent is in a pid namespace that is not ours.
  sys(__NR_prctl, PR_SET_PDEATHSIG, SIGNAL_KILL, 0, 0, 0);
  const long seen = sys(__NR_getppid);
  if (seen != 0 && seen != parent) quit(1);
  const long error = sys(__NR_execve, request->path, request->arguments, request->environment);
  struct statx status_of;
  const bool found = sys(__NR_statx, AT_FDCWD, request->path, 0, STATX_TYPE, &status_of) >= 0;
  fail("execve", found && (status_of.stx_mode & S_IFMT) == S_IFDIR ? -EISDIR : error, request->path);
}

static struct running begin_program(const struct program_request *request) {
  struct running running = {.errors = -1};
  int pair[2], ends[2] = {-1, -1};
  const int input = input_of(request);
  if (request->errors < 0) check(sys(__NR_pipe2, ends, O_CLOEXEC), "pipe2", "stderr");
  if (ends[0] >= 0) check(sys(__NR_fcntl, ends[0], F_SETFL, O_NONBLOCK), "fcntl", "stderr");
  check(sys(__NR_socketpair, UNIX_FAMILY, SOCKET_STREAM | SOCKET_CLOEXEC, 0, pair), "socketpair", NULL);
  const long parent = sys(__NR_getpid);
  struct clone_args arguments = {
      .flags = CLONE_PIDFD, .pidfd = (uint64_t)&running.pidfd, .exit_signal = SIGNAL_CHILD};
  running.pid = (int)check(sys(__NR_clone3, &arguments, sizeof arguments), "clone3", request->path);
  const int errors = request->errors < 0 ? ends[1] : request->errors;
  if (running.pid == 0) become(request, input, errors, pair[1], parent);
  sys(__NR_close, input);
  sys(__NR_close, pair[1]);
  if (ends[1] >= 0) sys(__NR_close, ends[1]);
  running.errors = ends[0];
  running.status = pair[0];
  return running;
}

// Keeps the last PROGRAM_ERRORS_MAX bytes. False when there is nothing more to read now.
static bool keep_errors(struct running *running, struct program_result *result) {
  char chunk[PROGRAM_ERRORS_MAX];
  const long count = sys(__NR_read, running->errors, chunk, sizeof chunk);
  if (count == -EAGAIN || count == -EINTR) return false;
  if (count <= 0) {
    sys(__NR_close, running->errors);
    running->errors = -1;
    return false;
  }
  const size_t room = PROGRAM_ERRORS_MAX - (size_t)count;
  const size_t kept = result->errors_length < room ? result->errors_length : room;
  memmove(result->errors, result->errors + result->errors_length - kept, kept);
  memcpy(result->errors + kept, chunk, (size_t)count);
  result->errors_length = kept + (size_t)count;
  return true;
}

// Its failure frame, or nothing when the exec closed the socket.
static void hear(struct running *running, struct program_result *result) {
  struct frame frame;
  struct failure failure;
  int fd;
  const long length = receive_frame(running->status, &frame, &failure, sizeof failure, &fd);
  sys(__NR_close, running->status);
  running->status = -1;
  if (length < 0 || frame.type != FRAME_FAILURE) return;
  result->end = PROGRAM_REFUSED;
  result->value = failure.error;
  memcpy(result->call, failure.call, sizeof result->call);
}

// All of it: what it started in its session too. When even that is forbidden nobody waits for it.
static void end_program(const struct running *running) {
  sys(__NR_kill, -running->pid, SIGNAL_KILL);
  if (sys(__NR_pidfd_send_signal, running->pidfd, SIGNAL_KILL, 0, 0) >= 0)
    sys(__NR_waitid, P_PIDFD, running->pidfd, 0, WEXITED | __WALL, 0);
}

// Milliseconds that are left, at most what a timespec of ours shall hold; negative when the time is over.
static int64_t left_ms(uint64_t timeout_ms, uint64_t started_ms) {
  const uint64_t spent = monotonic_ms() - started_ms;
  return spent >= timeout_ms ? -1 : (int64_t)(timeout_ms - spent);
}

static bool abandoned(const struct pollfd *watched, struct program_result *result) {
  for (uint32_t i = 0; i < PROGRAM_WATCHED; i++) {
    if (watched[i].fd < 0 || watched[i].revents == 0) continue;
    result->end = PROGRAM_ABANDONED;
    result->value = i;
    return true;
  }
  return false;
}

// True when it ended by itself; otherwise `result` says why it has to.
static bool follow(struct running *running, const struct program_request *request, struct program_result *result) {
  const uint64_t started = monotonic_ms();
  for (;;) {
    const int64_t left = request->timeout_ms == 0 ? 0 : left_ms(request->timeout_ms, started);
    if (left < 0) {
      result->end = PROGRAM_LATE;
      return false;
    }
    const struct __kernel_timespec wait = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
    struct pollfd polled[3 + PROGRAM_WATCHED] = {
        {running->pidfd, POLLIN, 0}, {running->errors, POLLIN, 0}, {running->status, POLLIN, 0}};
    memcpy(polled + 3, request->watched, sizeof request->watched);
    if (sys(__NR_ppoll, polled, 3 + PROGRAM_WATCHED, request->timeout_ms == 0 ? 0 : &wait, 0, 0) <= 0) continue;
    if (polled[2].revents != 0) hear(running, result);
    if (polled[1].revents != 0) keep_errors(running, result);
    if (polled[0].revents != 0) return true;
    if (abandoned(polled + 3, result)) return false;
  }
}

static void finish(struct running *running, struct program_result *result) {
  for (int reads = 0; running->errors >= 0 && reads < DRAIN_READS_MAX && keep_errors(running, result);) reads++;
  if (running->status >= 0) hear(running, result);
  const struct exit_facts facts = exit_facts_of(running->pidfd, -1);
  if (result->end == PROGRAM_REFUSED) return;
  result->end = facts.signal == 0 ? PROGRAM_EXITED : PROGRAM_KILLED;
  result->value = facts.signal == 0 ? facts.code : facts.signal;
}

void run_program(const struct program_request *request, struct program_result *result) {
  struct running running = begin_program(request);
  result->end = PROGRAM_EXITED;
  result->errors_length = 0;
  if (follow(&running, request, result))
    finish(&running, result);
  else
    end_program(&running);
  const int open[] = {running.pidfd, running.errors, running.status};
  for (unsigned i = 0; i < sizeof open / sizeof *open; i++)
    if (open[i] >= 0) sys(__NR_close, open[i]);
}
