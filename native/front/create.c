// Carries out what the compile service decided about a create: the container's lock and directory, keelson-init as our
// child, the commit. From its start on keelson-init is told by the end of our control socket that we are gone, and
// what fails is handed on to Node together with that socket, so that it is taken back there and told.
#include <stddef.h>

#include "front/front.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/message.h"
#include "init/process.h"
#include "init/socket.h"
#include "init/syscall.h"

#define LOCK_EXCLUSIVE 2
#define LOCK_NOT_BLOCKING 4
#define MESSAGE_PEEK 2
#define MESSAGE_WAIT_ALL 0x100
#define MEMFD_CLOEXEC 1
#define MEMFD_SEALING 2
#define MEMFD_EXEC 0x10
#define SEALS 0xf  // seal, shrink, grow, write
#define CLOSE_RANGE_CLOEXEC 4
#define CREATE_VARIABLE "KEELSON_OCI_CREATE="
// Descriptors of the plan from here on are our slots (src/cli/oci/compile-service/descriptors.ts).
#define SLOT_BASE (1u << 20)
#define PLACED_MAX 512
#define BIT(signal) (1ull << ((signal) - 1))
#define ENDING (BIT(1) | BIT(2) | BIT(3) | BIT(15))  // hang-up, interrupt, quit, terminate
#define MASK_BLOCK 0
#define MASK_SET 2
#define PATIENCE_S 2

static int lock_fd = -1, control = -1, plan_fd = -1, init_pid;
static int signal_fd = -1, ended_by;  // descriptor of those below; the one that ended this command
static uint64_t mask_before;

void front_openLog(const uint32_t *words) {
  const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
  front.log_fd = (int)sys(__NR_openat, AT_FDCWD, text_at(words[0]), flags, 0644);
  if (front.log_fd < 0) hand_on();
}

// A reader that has gone away is no reason to fail.
static void write_log(const char *line) {
  ignore_broken_pipe();
  sys(__NR_write, front.log_fd, line, length_of(line));
}

void front_log(const uint32_t *words) { write_log(text_at(words[0])); }

static int take_lock(int directory) {
  struct statx status;
  const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
  const long fd = sys(__NR_openat, directory, "lock", flags, 0600);
  if (fd < 0 || sys(__NR_flock, fd, LOCK_EXCLUSIVE | LOCK_NOT_BLOCKING) < 0) hand_on();
  const long told = sys(__NR_statx, directory, "", AT_EMPTY_PATH, STATX_NLINK, &status);
  if (told < 0 || status.stx_nlink == 0) hand_on();
  return (int)fd;
}

// Made by us, or Node looks whose it is. Between that and the lock another create may have been here.
void front_takeState(const uint32_t *words) {
  const char *id = text_at(words[1]);
  if (words[2] >= FRONT_SLOTS || words[3] >= FRONT_SLOTS) hand_on();
  front.root_fd = (int)sys(__NR_openat, AT_FDCWD, text_at(words[0]), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (front.root_fd < 0) hand_on();
  if (sys(__NR_mkdirat, front.root_fd, id, 0700) < 0) hand_on();
  front.state_fd = (int)sys(__NR_openat, front.root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (front.state_fd < 0) hand_on();
  lock_fd = take_lock(front.state_fd);
  if (!is_empty_but(front.state_fd, "lock")) hand_on();
  front.slots[words[2]] = front.state_fd;
  front.slots[words[3]] = lock_fd;
}

static int make_memfd(const char *name, unsigned flags) {
  long fd = sys(__NR_memfd_create, name, MEMFD_CLOEXEC | MEMFD_EXEC | flags);
  if (fd == -EINVAL) fd = sys(__NR_memfd_create, name, MEMFD_CLOEXEC | flags);
  if (fd < 0) hand_on();
  return (int)fd;
}

// Nobody can write to a sealed copy, so a container that reaches our executable reaches nothing (CVE-2019-5736).
static int sealed_copy(const char *path) {
  const long source = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  const int copy = make_memfd("keelson-init", MEMFD_SEALING);
  long count;
  do count = sys(__NR_sendfile, copy, source, 0, 1 << 20);
  while (count > 0);
  if (count < 0 || sys(__NR_fcntl, copy, F_ADD_SEALS, SEALS) < 0) hand_on();
  sys(__NR_close, source);
  return copy;
}

static int plan_copy(const char *bytes, size_t size) {
  const int fd = make_memfd("keelson-plan", 0);
  if (sys(__NR_write, fd, bytes, size) != (long)size || sys(__NR_lseek, fd, 0, 0) < 0) hand_on();
  return fd;
}

// Two rounds, because a source may lie where another target goes: first copies above the range, then into place.
_Noreturn static void become_init(int program, const int *wanted, int count) {
  static const char *arguments[] = {"keelson-init", NULL}, *environment[] = {NULL};
  int staged[PLACED_MAX];
  bool placed = (program = (int)sys(__NR_fcntl, program, F_DUPFD_CLOEXEC, count)) >= 0;
  for (int i = 0; i < count && placed; i++)
    placed = (staged[i] = (int)sys(__NR_fcntl, wanted[i], F_DUPFD_CLOEXEC, count)) >= 0;
  for (int i = 0; i < count && placed; i++) placed = sys(__NR_dup3, staged[i], i, 0) >= 0;
  sys(__NR_close_range, count, ~0u, CLOSE_RANGE_CLOEXEC);
  if (placed) sys(__NR_execveat, program, "", arguments, environment, AT_EMPTY_PATH);
  quit(127);
}

// What is being made may still be done when a signal comes (src/cli/oci/interrupts.ts).
static void hold_signals(void) {
  const uint64_t ending = ENDING;
  sys(__NR_rt_sigprocmask, MASK_BLOCK, &ending, &mask_before, sizeof ending);
  signal_fd = (int)sys(__NR_signalfd4, -1, &ending, sizeof ending, O_CLOEXEC | O_NONBLOCK);
}

// Its number is the first of a struct signalfd_siginfo; 0 when none has come.
static int next_signal(void) {
  uint32_t info[32];
  return sys(__NR_read, signal_fd, info, sizeof info) == sizeof info ? (int)info[0] : 0;
}

// For Node, which would have heard those that came.
static void release_signals(void) {
  while (next_signal() != 0) continue;
  sys(__NR_rt_sigprocmask, MASK_SET, &mask_before, 0, sizeof mask_before);
}

// False when a second signal comes first, or the first one a while ago.
static bool await_answer(void) {
  const struct __kernel_timespec patience = {.tv_sec = PATIENCE_S};
  for (int came = 0;;) {
    struct pollfd polled[] = {{control, POLLIN, 0}, {signal_fd, POLLIN, 0}};
    const long ready = sys(__NR_ppoll, polled, 2, came == 0 ? NULL : &patience, 0, 0);
    if (ready == -EINTR) continue;
    if (ready < 0 || polled[0].revents != 0) return true;
    const int next = next_signal();
    ended_by = next != 0 ? next : came;
    if (came != 0) return false;
    came = next;
  }
}

// What it reports shows whether it runs: the end of the socket without a word is a failure, too.
void front_startInit(const uint32_t *words) {
  int wanted[PLACED_MAX], pair[2];
  const char *inherited = text_at(words[3]);
  const uint32_t count = words[4] / sizeof(uint32_t);
  const int program = sealed_copy(text_at(words[0]));
  const int null = (int)sys(__NR_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
  plan_fd = plan_copy(text_at(words[1]), words[2]);
  if (null < 0 || count > PLACED_MAX - 5) hand_on();
  if (sys(__NR_socketpair, UNIX_FAMILY, SOCKET_STREAM | SOCKET_CLOEXEC, 0, pair) < 0) hand_on();
  control = pair[0];
  wanted[0] = wanted[1] = wanted[2] = null;
  wanted[3] = pair[1];
  wanted[4] = plan_fd;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t fd;
    memcpy(&fd, inherited + i * sizeof fd, sizeof fd);
    if (fd >= SLOT_BASE + FRONT_SLOTS) hand_on();
    wanted[5 + i] = fd >= SLOT_BASE ? front.slots[fd - SLOT_BASE] : (int)fd;
  }
  hold_signals();
  struct clone_args arguments = {.exit_signal = 0};
  init_pid = (int)sys(__NR_clone3, &arguments, sizeof arguments);
  if (init_pid == 0) become_init(program, wanted, (int)(5 + count));
  if (init_pid < 0) release_signals();
  if (init_pid < 0) hand_on();
  sys(__NR_close, pair[1]);
}

// With our child, its plan and what it has said, which is still to be read.
_Noreturn static void hand_on_create(void) {
  static char told[sizeof CREATE_VARIABLE + 64];
  struct text text = {told, sizeof told, 0};
  const int numbers[] = {control, plan_fd, lock_fd, init_pid, ended_by};
  text_add(&text, CREATE_VARIABLE);
  for (int i = 0; i < 5; i++) {
    if (i > 0) text_add(&text, ":");
    text_add_number(&text, numbers[i]);
    if (i < 3) sys(__NR_fcntl, numbers[i], F_SETFD, 0);
  }
  sys(__NR_lseek, plan_fd, 0, 0);
  release_signals();
  hand_on_with(told);
}

void front_commitInit(const uint32_t *words) {
  (void)words;
  struct {
    struct frame frame;
    uint32_t pid;
  } first = {0};
  long received;
  if (!await_answer()) hand_on_create();
  ended_by = 0;
  do received = sys(__NR_recvfrom, control, &first, sizeof first, MESSAGE_PEEK | MESSAGE_WAIT_ALL, 0, 0);
  while (received == -EINTR);
  if (received < (long)sizeof first || first.frame.type != FRAME_CREATED) hand_on_create();
  const long mark = sys(__NR_openat, front.state_fd, "created", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (mark < 0 || send_frame(control, FRAME_COMMIT, NULL, 0, -1) < 0) hand_on_create();
  front.pid = (int)first.pid;
  sys(__NR_close, control);
  while (sys(__NR_wait4, init_pid, 0, __WALL, 0) == -EINTR) continue;
}

void front_warnOomScore(const uint32_t *words) {
  char path[64], score[16], wanted[16];
  struct text text = {path, sizeof path, 0}, number = {wanted, sizeof wanted, 0};
  text_add(&text, "/proc/");
  text_add_number(&text, front.pid);
  text_add(&text, "/oom_score_adj");
  text_add_number(&number, (int32_t)words[0]);
  const long length = read_file(path, score, sizeof score);
  if (length < 1) return;
  score[length - 1] = '\0';
  if (same_text(score, wanted)) return;
  char line[1024];
  struct text warning = {line, sizeof line, 0};
  text_add(&warning, text_at(words[1]));
  text_add(&warning, score);
  text_add(&warning, text_at(words[2]));
  write_log(line);
}

// Whole or not at all. The container is there: what Node has to do over is only this.
void front_writePidFile(const uint32_t *words) {
  char temporary[PATH_BYTES], number[16];
  struct text path = {temporary, sizeof temporary, 0}, text = {number, sizeof number, 0};
  text_add(&path, text_at(words[0]));
  text_add(&path, ".");
  text_add_number(&path, sys(__NR_getpid));
  text_add(&path, ".tmp");
  text_add_number(&text, front.pid);
  const long fd = sys(__NR_openat, AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  const bool written = fd >= 0 && sys(__NR_write, fd, number, text.length) == (long)text.length;
  if (written && sys(__NR_renameat2, AT_FDCWD, temporary, AT_FDCWD, text_at(words[0]), 0) == 0) return;
  if (fd >= 0) sys(__NR_unlinkat, AT_FDCWD, temporary, 0);
  release_signals();
  hand_on_with(CREATE_VARIABLE "done");
}
