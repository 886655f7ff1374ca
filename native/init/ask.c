// What only the starter can do: talking to systemd, which puts the child into a unit.
#include "init/init.h"
#include "init/linux.h"
#include "init/message.h"
#include "init/syscall.h"

// The child waits meanwhile. A starter that hangs up instead of answering has failed: all is taken back.
void operation_askStarter(const uint32_t *words) {
  (void)words;
  const uint32_t pid = (uint32_t)self.child_pid;
  check(send_frame(self.control, FRAME_ASK, &pid, sizeof pid, -1), "sendmsg", "control");
  struct frame frame;
  char payload[8];
  int fd;
  const long length = receive_frame(self.control, &frame, payload, sizeof payload, &fd);
  if (length < 0 || frame.type != FRAME_ANSWER) fail("starter", length < 0 ? length : -EPROTO, NULL);
}
