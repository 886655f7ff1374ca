// The parent half of an exec, and of a container in the foreground: tells its starter that the program runs and how
// it ended, and is gone with it.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/message.h"
#include "init/monitor.h"
#include "init/process.h"
#include "init/syscall.h"

// The sync socket closes with the exec (or with the child's death, which the exit tells).
void operation_reportStarted(const uint32_t *words) {
  (void)words;
  uint32_t payload[FRAME_PAYLOAD_MAX / sizeof(uint32_t)];
  int fd;
  const long length = receive_from_peer(FRAME_BARRIER, payload, sizeof payload, &fd);
  if (length != -EPIPE) check(length < 0 ? length : -EPROTO, "exec", NULL);
  const uint32_t pid = (uint32_t)self.child_pid;
  send_frame(self.control, FRAME_STARTED, &pid, sizeof pid, -1);
}

// words[0]: the signal for the program when the starter is gone.
void operation_supervise(const uint32_t *words) {
  int control = self.control;
  for (;;) {
    struct pollfd polled[2] = {{self.child_pidfd, POLLIN, 0}, {control, 0, 0}};
    if (sys(__NR_ppoll, polled, 2, 0, 0, 0) < 0) continue;
    if (polled[0].revents != 0) break;
    if (polled[1].revents == 0) continue;
    sys(__NR_pidfd_send_signal, self.child_pidfd, words[0], 0, 0);
    control = -1;
  }
  const struct exit_facts facts = exit_facts_of(self.child_pidfd, -1);
  send_frame(self.control, FRAME_EXITED, &facts, sizeof facts, -1);
}
