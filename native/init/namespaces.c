// Namespaces other than by clone: joining what others made, and the cgroup namespace, which is unshared only after
// the cgroups were joined, so that its root is the container's own cgroup.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/syscall.h"

void operation_joinNamespace(const uint32_t *words) {
  check(sys(__NR_setns, slot_fd(words[0]), plan_wide(words + 1)), "setns", NULL);
}

void operation_unshare(const uint32_t *words) { check(sys(__NR_unshare, plan_wide(words)), "unshare", NULL); }

// The joined processes may be hostile: nothing of ours may be traced or read by them until the program runs.
void operation_undumpable(const uint32_t *words) {
  (void)words;
  check(sys(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl", "PR_SET_DUMPABLE");
}

void operation_enterProcess(const uint32_t *words) {
  check(sys(__NR_setns, slot_fd(words[0]), plan_wide(words + 1)), "setns", NULL);
  self.root = (int)check(sys(__NR_openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC), "openat", "/");
}

void operation_setHostname(const uint32_t *words) {
  const char *name = text_at(words[0]);
  check(sys(__NR_sethostname, name, length_of(name)), "sethostname", name);
}

void operation_setDomainname(const uint32_t *words) {
  const char *name = text_at(words[0]);
  check(sys(__NR_setdomainname, name, length_of(name)), "setdomainname", name);
}
