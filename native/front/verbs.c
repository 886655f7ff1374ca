// Runs what was recorded for one verb: the operations after its mark in the container's `verbs.plan`.
#include <stddef.h>

#include "front/front.h"
#include "init/clock.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/message.h"
#include "init/process.h"
#include "init/socket.h"
#include "init/syscall.h"

#define LOCK_EXCLUSIVE 2
#define LOCK_NO_WAIT 4
#define MESSAGE_PEEK 2

static char output_bytes[32768];
static struct text output = {output_bytes, sizeof output_bytes, 0};

// Node opens the log before it does anything, so that the file is there whatever happens.
static void open_log(void) {
  const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
  if (front.log == NULL || *front.log == '\0') return;
  front.log_fd = (int)sys(__NR_openat, AT_FDCWD, front.log, flags, 0644);
  if (front.log_fd < 0) hand_on();
}

// Where there is no directory there is no container; to delete such a one by force is no failure.
static void open_state(void) {
  front.root_fd = (int)sys(__NR_openat, AT_FDCWD, front.root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  front.state_fd = front.root_fd < 0 ? front.root_fd : (int)sys(__NR_openat, front.root_fd, front.id, flags);
  if (front.state_fd == -ENOENT && front.is_forced) quit(0);
  if (front.state_fd == -ENOENT) fail_missing();
  if (front.state_fd < 0) hand_on();
}

static void read_plan(void) {
  struct statx status;
  const long fd = sys(__NR_openat, front.state_fd, "verbs.plan", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 || sys(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_SIZE, &status) < 0) hand_on();
  const long mapped = sys(__NR_mmap, 0, status.stx_size, 1 /* PROT_READ */, 2 /* MAP_PRIVATE */, fd, 0);
  if (mapped < 0 && mapped > -4096) hand_on();
  if (!plan_read((const void *)mapped, status.stx_size, &front.plan)) hand_on();
}

void front_verb(const uint32_t *words) { (void)words; }

// Whoever had the lock before may have removed the container. One who has it now may keep it for long (a hook that
// hangs), and Node knows what to do about that.
void front_takeLock(const uint32_t *words) {
  (void)words;
  struct statx status;
  const long fd = sys(__NR_openat, front.state_fd, "lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 || sys(__NR_flock, fd, LOCK_EXCLUSIVE | LOCK_NO_WAIT) < 0) hand_on();
  const long told = sys(__NR_statx, front.state_fd, "", AT_EMPTY_PATH, STATX_NLINK, &status);
  if (told < 0 || status.stx_nlink == 0) hand_on();
}

void front_requireBoot(const uint32_t *words) {
  char id[64];
  const long fd = sys(__NR_openat, AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  const long length = fd < 0 ? -1 : sys(__NR_read, fd, id, sizeof id);
  const char *wanted = text_at(words[0]);
  if (length < 1 || (size_t)length != length_of(wanted) + 1 || memcmp(id, wanted, (size_t)length - 1) != 0) hand_on();
}

static void observe_once(void) {
  if (front.status == 0) observe();
}

void front_refuse(const uint32_t *words) {
  observe_once();
  if ((words[0] & front.status) != 0) fail_command("FAILED_PRECONDITION", text_at(words[1]));
}

void front_requireStatus(const uint32_t *words) {
  observe_once();
  if ((words[0] & front.status) == 0) hand_on();
}

static int connect_in_state(const char *name) {
  struct unix_address address = {.family = UNIX_FAMILY};
  struct text path = {address.path, sizeof address.path, 0};
  // By way of the descriptor: an address holds 107 bytes and state roots may be longer.
  text_add(&path, "/proc/self/fd/");
  text_add_number(&path, front.state_fd);
  text_add(&path, "/");
  text_add(&path, name);
  const long fd = sys(__NR_socket, UNIX_FAMILY, SOCKET_STREAM | SOCKET_CLOEXEC, 0);
  if (fd < 0 || sys(__NR_connect, fd, &address, sizeof address) < 0) hand_on();
  return (int)fd;
}

// Before the program runs: afterwards a full disk could not be told any more.
static void prepare_record(void) {
  char line[32];
  struct text text = {line, sizeof line, 0};
  text_add_number(&text, (int64_t)wall_ns());
  text_add(&text, "\n");
  if (try_write_file(front.state_fd, "started.new", line, text.length) < 0) hand_on();
}

static void record_start(void) {
  if (sys(__NR_renameat2, front.state_fd, "started.new", front.state_fd, "started", 0) < 0) hand_on();
}

// The end of the connection says that the program runs; a failure frame says why it does not, and only Node knows
// the words for that. A reset is neither: whoever listened was gone before it took us.
void front_startProgram(const uint32_t *words) {
  (void)words;
  char first;
  prepare_record();
  const int connection = connect_in_state("start.sock");
  if (send_frame(connection, FRAME_START, NULL, 0, -1) < 0) hand_on();
  long received;
  do received = sys(__NR_recvfrom, connection, &first, 1, MESSAGE_PEEK, 0, 0);
  while (received == -EINTR);
  if (received < 0) hand_on();
  if (received > 0) hand_on_answer(connection);
  record_start();
}

void front_signalProcess(const uint32_t *words) {
  (void)words;
  if (sys(__NR_pidfd_send_signal, front.pidfd, front.signal, 0, 0) < 0) hand_on();
}

void front_removeGroup(const uint32_t *words) { remove_group(text_at(words[0])); }

void front_removeState(const uint32_t *words) {
  (void)words;
  remove_state();
}

// A reader that has gone away is no reason to fail.
static void flush(void) {
  const char *at = output.at;
  while (output.length > 0) {
    struct pollfd polled = {1, POLLOUT, 0};
    const long written = sys(__NR_write, 1, at, output.length);
    if (written == -EAGAIN) sys(__NR_ppoll, &polled, 1, 0, 0, 0);
    if (written == -EAGAIN || written == -EINTR) continue;
    if (written < 0) break;
    at += written;
    output.length -= (size_t)written;
  }
  output.length = 0;
}

void front_print(const uint32_t *words) {
  const char *at = text_at(words[0]);
  for (size_t left = length_of(at); left > 0;) {
    const size_t room = output.size - 1 - output.length, count = left < room ? left : room;
    text_add_count(&output, at, count);
    at += count;
    left -= count;
    if (left > 0) flush();
  }
}

void front_printPid(const uint32_t *words) {
  (void)words;
  const bool has_process = (front.status & (STATUS_CREATED | STATUS_RUNNING | STATUS_PAUSED)) != 0;
  char number[16];
  struct text text = {number, sizeof number, 0};
  text_add_number(&text, has_process ? front.pid : 0);
  if (output.size - output.length <= text.length) flush();
  text_add(&output, number);
}

void front_printStatus(const uint32_t *words) {
  (void)words;
  static const char *names[] = {"creating", "created", "running", "paused", "stopped"};
  if (output.size - output.length <= 8) flush();
  for (int i = 0; i < 5; i++)
    if (front.status == (enum status)(1 << i)) text_add(&output, names[i]);
}

void run_operation(uint32_t code, const uint32_t *words) {
  switch (code) {
#define X(number, name, kinds) \
  case number:                 \
    front_##name(words);       \
    break;
    PLAN_FRONT_OPERATIONS(X)
#undef X
    default:
      hand_on();
  }
}

void run_verb(void) {
  open_log();
  open_state();
  read_plan();
  bool is_wanted = false, is_found = false;
  const uint32_t *words = front.plan.parent.words;
  for (uint32_t i = 0; i < front.plan.parent.count; i++, words += 1 + (words[0] >> 16)) {
    const uint32_t code = words[0] & 0xffff;
    if (code == PLAN_verb) is_wanted = words[1] == (uint32_t)front.verb;
    is_found |= is_wanted;
    if (is_wanted) run_operation(code, words + 1);
  }
  if (!is_found) hand_on();
  ignore_broken_pipe();
  flush();
}
