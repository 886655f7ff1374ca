// A container that criu makes: the plan's child is criu itself, which leaves when the container's processes run. With
// --restore-sibling their first one is a child of criu's parent, so it is ours and we learn how it ends, as with a
// container that was cloned here.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/message.h"
#include "init/monitor.h"
#include "init/process.h"
#include "init/syscall.h"

#define EXITED_NORMALLY 1  // CLD_EXITED
#define ROUNDS_MAX 16

// Reads a small file; its length, or -errno.
static long read_small(const char *path, char *text, size_t size) {
  const long fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fd;
  const long length = sys(__NR_read, fd, text, size - 1);
  sys(__NR_close, fd);
  text[length < 0 ? 0 : length] = '\0';
  return length;
}

// What criu had made by the time it failed.
static void end_children(void) {
  char text[4096];
  for (int round = 0; round < ROUNDS_MAX; round++) {
    if (read_small("/proc/thread-self/children", text, sizeof text) <= 0) return;
    uint64_t pid;
    for (const char *at = text; *(at = number_at(at, &pid)) == ' ' && pid != 0; at++) {
      sys(__NR_kill, pid, SIGNAL_KILL);
      sys(__NR_waitid, P_PID, pid, 0, WEXITED | __WALL, 0);
    }
  }
}

// Its socket closes with the exec, or brings what went wrong before. Whoever asked for all this may hang up at any time.
static struct wait_facts await_criu(void) {
  uint32_t payload[FRAME_PAYLOAD_MAX / sizeof(uint32_t)];
  int fd;
  const long length = receive_from_peer(FRAME_BARRIER, payload, sizeof payload, &fd);
  if (length != -EPIPE && length != -ECONNRESET) check(length < 0 ? length : -EPROTO, "exec", NULL);
  struct pollfd polled[2] = {{self.child_pidfd, POLLIN, 0}, {self.control, POLLRDHUP, 0}};
  while (polled[0].revents == 0 && polled[1].revents == 0) sys(__NR_ppoll, polled, 2, 0, 0, 0);
  struct wait_facts end = {0};
  if (polled[0].revents == 0) sys(__NR_pidfd_send_signal, self.child_pidfd, SIGNAL_KILL, 0, 0);
  sys(__NR_waitid, P_PIDFD, self.child_pidfd, &end, WEXITED | __WALL, 0);
  sys(__NR_close, self.child_pidfd);
  self.child_pidfd = -1;
  return end;
}

static _Noreturn void fail_restored(const char *call, long error, const char *path) {
  end_children();
  fail(call, error, path);
}

void operation_adoptRestored(const uint32_t *words) {
  const char *program = text_at(words[0]), *file = text_at(words[1]);
  const struct wait_facts end = await_criu();
  if (end.code != EXITED_NORMALLY || end.status != 0) fail_restored("criu", -EIO, program);
  char text[32];
  uint64_t pid = 0;
  if (read_small(file, text, sizeof text) > 0) number_at(text, &pid);
  const long pidfd = sys(__NR_pidfd_open, pid, 0);
  // Only a child of ours is the one that criu made: by now the number could be anybody's.
  struct wait_facts seen;
  if (pidfd < 0 || sys(__NR_waitid, P_PIDFD, pidfd, &seen, WEXITED | WNOHANG | WNOWAIT | __WALL, 0) < 0)
    fail_restored("criu", -ECHILD, file);
  self.child_pid = (int)pid;
  self.child_pidfd = (int)pidfd;
}
