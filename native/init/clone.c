// Parent and child: the double fork of a monitor, the one clone, barriers between the two lists, commit.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/message.h"
#include "init/process.h"
#include "init/socket.h"
#include "init/syscall.h"

static void clone_into(struct clone_args *arguments, int cgroup) {
  if (cgroup < 0) return;
  arguments->flags |= CLONE_INTO_CGROUP;
  arguments->cgroup = (uint64_t)cgroup;
}

// A monitor is nobody's child: its exit is learned the same way before and after a restart of the daemon. Until a
// container's plan reaches a copy of it, it is the zygote.
void operation_leaveParent(const uint32_t *words) {
  struct clone_args arguments = {.exit_signal = SIGNAL_CHILD};
  clone_into(&arguments, slot_fd(words[0]));
  if (check(sys(__NR_clone3, &arguments, sizeof arguments), "clone3", NULL) > 0) quit(0);
  check(sys(__NR_setsid), "setsid", NULL);
  self.is_zygote = true;
}

void begin_child(int sync) {
  sys(__NR_close, self.control);
  self.control = -1;
  self.report = self.sync = sync;
  self.is_child = true;
  run_list(&self.plan.child);
  quit(0);
}

void operation_clone(const uint32_t *words) {
  int pair[2];
  int pidfd = -1;
  check(sys(__NR_socketpair, UNIX_FAMILY, SOCKET_STREAM | SOCKET_CLOEXEC, 0, pair), "socketpair", NULL);
  struct clone_args arguments = {
      .flags = plan_wide(words) | CLONE_PIDFD, .pidfd = (uint64_t)&pidfd, .exit_signal = SIGNAL_CHILD};
  clone_into(&arguments, slot_fd(words[2]));
  const long pid = check(sys(__NR_clone3, &arguments, sizeof arguments), "clone3", NULL);
  sys(__NR_close, pair[pid == 0 ? 0 : 1]);
  self.sync = pair[pid == 0 ? 1 : 0];
  if (pid > 0) {
    self.child_pid = (int)pid;
    self.child_pidfd = pidfd;
    return;
  }
  begin_child(self.sync);
}

void operation_signal(const uint32_t *words) {
  const long sent = send_frame(self.sync, FRAME_BARRIER, words, sizeof *words, -1);
  // A child that failed closed its end after sending the reason, which is still there to be read.
  if ((sent != -EPIPE && sent != -ECONNRESET) || self.is_child) check(sent, "sendmsg", "barrier");
}

// A starter that is gone, or has hung up, will never commit, so nothing may stay behind.
static void wait_for_child(void) {
  for (;;) {
    struct pollfd polled[2] = {{self.sync, POLLIN, 0}, {self.control, POLLRDHUP, 0}};
    const long ready = sys(__NR_ppoll, polled, 2, 0, 0, 0);
    if (ready == -EINTR) continue;
    check(ready, "ppoll", NULL);
    if (polled[1].revents & (POLLRDHUP | POLLHUP | POLLERR)) fail("control", -ECANCELED, NULL);
    if (polled[0].revents != 0) return;
  }
}

// The next frame of the other side; what it reports as a failure goes on to the starter. -EPIPE at the end.
long receive_from_peer(uint8_t wanted, void *payload, uint32_t size, int *fd) {
  struct frame frame;
  if (!self.is_child) wait_for_child();
  const long length = receive_frame(self.sync, &frame, payload, size, fd);
  if (length >= 0 && frame.type == FRAME_FAILURE && !self.is_child) forward_failure(payload, frame.length);
  if (length >= 0 && frame.type != wanted) return -EPROTO;
  return length;
}

void operation_await(const uint32_t *words) {
  uint32_t payload[FRAME_PAYLOAD_MAX / sizeof(uint32_t)];
  int fd;
  const long length = receive_from_peer(FRAME_BARRIER, payload, sizeof payload, &fd);
  // The child ends quietly with its parent; the parent says that its child was lost (killed from outside).
  if (self.is_child && length < 0) quit(1);
  check(length, "barrier", NULL);
  if (payload[0] != words[0]) fail("barrier", -EPROTO, NULL);
}

// It never changes, and procfs takes its time.
static uint64_t child_ticks(void) {
  static uint64_t ticks;
  if (ticks == 0) ticks = start_ticks(self.child_pid);
  return ticks;
}

void operation_recordProcess(const uint32_t *words) {
  char line[64];
  struct text text = {line, sizeof line, 0};
  text_add_number(&text, self.child_pid);
  text_add(&text, " ");
  text_add_number(&text, (int64_t)child_ticks());
  text_add(&text, "\n");
  write_record(slot_fd(words[0]), text_at(words[1]), line, text.length);
}

void operation_reportCreated(const uint32_t *words) {
  (void)words;
  const uint64_t ticks = child_ticks();
  const uint32_t payload[4] = {(uint32_t)self.child_pid, 0, (uint32_t)ticks, (uint32_t)(ticks >> 32)};
  check(send_frame(self.control, FRAME_CREATED, payload, sizeof payload, -1), "sendmsg", "control");
}

void operation_awaitCommit(const uint32_t *words) {
  (void)words;
  struct frame frame;
  char payload[8];
  int fd;
  const long length = receive_frame(self.control, &frame, payload, sizeof payload, &fd);
  if (length < 0 || frame.type != FRAME_COMMIT) fail("commit", length < 0 ? length : -EPROTO, NULL);
}

void operation_leave(const uint32_t *words) {
  (void)words;
  quit(0);
}
