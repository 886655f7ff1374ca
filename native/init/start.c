// keelson-init executes a plan and holds no policy (docs/ARCHITECTURE.md). Freestanding: no libc, no heap, no
// threads. The starter put the control socket on 3, the plan on 4 and the inherited descriptors from 5 on.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/syscall.h"

struct init self;

struct signal_action {
  void *handler;
  unsigned long flags;
  void *restorer;
  uint64_t mask;
};

// Dispositions other than "ignore" are reset by exec itself, and Node ignores some.
static void reset_signals(void) {
  const struct signal_action standard = {0};
  const uint64_t none = 0;
  for (int signal = 1; signal <= 64; signal++) sys(__NR_rt_sigaction, signal, &standard, 0, sizeof none);
  sys(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &none, 0, sizeof none);
}

void load_plan(int fd) {
  struct statx status;
  check(sys(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_SIZE, &status), "statx", "plan");
  const long mapped = sys(__NR_mmap, 0, status.stx_size, 1 /* PROT_READ */, 2 /* MAP_PRIVATE */, fd, 0);
  check(mapped > -4096 && mapped < 0 ? mapped : 0, "mmap", "plan");
  if (!plan_read((const void *)mapped, status.stx_size, &self.plan)) fail("plan", -EINVAL, "plan");
  self.plan_at = mapped;
  self.plan_bytes = status.stx_size;
  sys(__NR_close, fd);
}

void drop_plan(void) { sys(__NR_munmap, self.plan_at, self.plan_bytes); }

__attribute__((used)) static void begin(void) {
  self.control = self.report = CONTROL_FD;
  self.sync = self.root = self.proc = self.masks = self.listener = self.rest = self.ruleset = self.child_pidfd = -1;
  self.fresh = -1;
  for (int i = 0; i < PLACES; i++) self.places[i] = -1;
  for (int i = 0; i < (int)PLAN_SLOTS; i++) self.slots[i] = FIRST_INHERITED_FD + i;
  reset_signals();
  // What is typed at our starter's terminal is meant for it, which passes on what its program shall have.
  sys(__NR_setsid);
  self.umask = (uint32_t)sys(__NR_umask, 0);
  sys(__NR_prctl, PR_SET_NAME, "keelson-init", 0, 0, 0);  // else it is the memfd's name
  load_plan(PLAN_FD);
  run_list(&self.plan.parent);
  quit(0);
}

ENTRY_POINT(begin);
