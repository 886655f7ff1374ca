// A spare: keelson-init, started and in its cgroup before anybody needs it, that waits for the plan it will carry out.
// What a start costs before the first step of a plan is then paid between two containers instead of in one.
#include "init/init.h"
#include "init/linux.h"
#include "init/message.h"
#include "init/syscall.h"

// The plan's descriptor comes first, those of its first slots follow. The end of the control socket is the end of the
// starter: a spare that nobody can use any more leaves.
void operation_receivePlan(const uint32_t *words) {
  (void)words;
  int fds[PLAN_SLOTS + 1];
  const long count = receive_descriptors(self.control, FRAME_PLAN, fds, PLAN_SLOTS + 1);
  if (count == -EPIPE || count == -ECONNRESET) quit(0);
  check(count, "recvmsg", "control");
  if (count == 0) fail("plan", -EPROTO, "control");
  for (uint32_t i = 0; i < PLAN_SLOTS; i++) self.slots[i] = i + 1 < count ? fds[i + 1] : -1;
  load_plan(fds[0]);
  self.is_spare = false;
  run_list(&self.plan.parent);
  quit(0);
}
