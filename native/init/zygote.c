// The zygote: one keelson-init per starter that has left it and joined the monitors' cgroups, and makes a copy of itself
// for each plan it is sent. A container then pays for the copy of a few pages, not for a program start, a second fork
// and a cgroup move per hierarchy; and so does an exec.
#include "init/init.h"
#include "init/linux.h"
#include "init/message.h"
#include "init/syscall.h"

#define CONTROL 0  // of the new one: where it answers
#define PLAN 1
#define FIRST_SLOT 2

struct signal_action {
  unsigned long handler, flags, restorer;
  uint64_t mask;
};

static void on_child_end(unsigned long handler) {
  const struct signal_action action = {.handler = handler};
  sys(__NR_rt_sigaction, SIGNAL_CHILD, &action, 0, sizeof action.mask);
}

static _Noreturn void serve(const int *fds, long count) {
  on_child_end(SIGNAL_DEFAULT);  // it waits for a child of its own
  sys(__NR_setsid);
  sys(__NR_close, self.control);
  self.control = self.report = fds[CONTROL];
  for (uint32_t i = 0; i < PLAN_SLOTS; i++) self.slots[i] = i + FIRST_SLOT < count ? fds[i + FIRST_SLOT] : -1;
  load_plan(fds[PLAN]);
  self.is_zygote = false;
  run_list(&self.plan.parent);
  quit(0);
}

// Ended copies are nobody's to wait for: they have told their exit on their own sockets. The end of the control
// socket is the end of the starter, and of the zygote; its copies live on.
void operation_servePlans(const uint32_t *words) {
  (void)words;
  on_child_end(SIGNAL_IGNORE);
  for (;;) {
    int fds[FIRST_SLOT + PLAN_SLOTS];
    const long count = receive_descriptors(self.control, FRAME_PLAN, fds, FIRST_SLOT + PLAN_SLOTS);
    if (count == -EPIPE || count == -ECONNRESET) quit(0);
    check(count < 0 || count >= FIRST_SLOT ? count : -EPROTO, "recvmsg", "control");
    const struct clone_args arguments = {.exit_signal = SIGNAL_CHILD};
    const long pid = sys(__NR_clone3, &arguments, sizeof arguments);
    if (pid == 0) serve(fds, count);
    if (pid < 0) send_failure(fds[CONTROL], "clone3", pid, NULL);
    for (long i = 0; i < count; i++) sys(__NR_close, fds[i]);
  }
}
