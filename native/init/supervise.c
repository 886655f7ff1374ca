// The parent half of an exec, and of a container in the foreground: tells its starter that the program runs and how
// it ended, and is gone with it.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/message.h"
#include "init/monitor.h"
#include "init/process.h"
#include "init/syscall.h"

// The sync socket closes with the exec (or with the child's death, which the exit tells; a reset: it died before it
// read all that we sent).
void operation_reportStarted(const uint32_t *words) {
  (void)words;
  uint32_t payload[FRAME_PAYLOAD_MAX / sizeof(uint32_t)];
  int fd;
  const long length = receive_from_peer(FRAME_BARRIER, payload, sizeof payload, &fd);
  if (length != -EPIPE && length != -ECONNRESET) check(length < 0 ? length : -EPROTO, "exec", NULL);
  const uint32_t pid = (uint32_t)self.child_pid;
  send_frame(self.control, FRAME_STARTED, &pid, sizeof pid, -1);
}

// Orphans of the container that came to us, when we are their subreaper; SIGCHLD readable on the descriptor.
static int watch_orphans(void) {
  const uint64_t child_ended = 1u << (SIGNAL_CHILD - 1);
  sys(__NR_rt_sigprocmask, 0 /* SIG_BLOCK */, &child_ended, 0, sizeof child_ended);
  return (int)sys(__NR_signalfd4, -1, &child_ended, sizeof child_ended, O_CLOEXEC | O_NONBLOCK);
}

// All that ended before the program, which is left to be looked at by its pidfd.
static void reap_orphans(int signals) {
  char information[128];
  while (sys(__NR_read, signals, information, sizeof information) > 0) continue;
  for (;;) {
    struct wait_facts ended = {0};
    sys(__NR_waitid, P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT | __WALL, 0);
    if (ended.pid == 0 || ended.pid == self.child_pid) return;
    sys(__NR_waitid, P_PID, ended.pid, 0, WEXITED | WNOHANG | __WALL, 0);
  }
}

// words[0]: the signal for the program when the starter is gone.
void operation_supervise(const uint32_t *words) {
  int control = self.control;
  const int signals = watch_orphans();
  reap_orphans(signals);
  for (;;) {
    struct pollfd polled[3] = {{self.child_pidfd, POLLIN, 0}, {control, 0, 0}, {signals, POLLIN, 0}};
    if (sys(__NR_ppoll, polled, 3, 0, 0, 0) < 0) continue;
    if (polled[0].revents != 0) break;
    if (polled[2].revents != 0) reap_orphans(signals);
    if (polled[1].revents == 0) continue;
    sys(__NR_pidfd_send_signal, self.child_pidfd, words[0], 0, 0);
    control = -1;
  }
  const struct exit_facts facts = exit_facts_of(self.child_pidfd, -1);
  send_frame(self.control, FRAME_EXITED, &facts, sizeof facts, -1);
}
