// Who the program is: limits, keyring, user, capabilities. Their order is the plan's.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/syscall.h"

#define LAST_CAPABILITY_MAX 63
// Possessor: everything. Owner: view, read, search, link; the kernel's own choice has no search.
#define RING_PERMISSIONS 0x3f1b0000u

struct limit {
  uint64_t soft;
  uint64_t hard;
};

void operation_setRlimit(const uint32_t *words) {
  const struct limit limit = {plan_wide(words + 1), plan_wide(words + 3)};
  check(sys(__NR_prlimit64, 0, words[0], &limit, 0), "prlimit64", NULL);
}

// Named, so that execs join the one that the container made: for that it must let its owner search it. A kernel without
// keyrings has nothing to share. One that refuses more of them (kernel.keys.maxkeys) fails the plan, since the container
// would otherwise see the keys of its creator.
void operation_sessionKeyring(const uint32_t *words) {
  const char *name = text_at(words[0]);
  const long ring = sys(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name);
  if (ring == -ENOSYS) return;
  check(ring, "keyctl", name);
  check(sys(__NR_keyctl, KEYCTL_SETPERM, ring, RING_PERMISSIONS), "keyctl", name);
}

void operation_dropBounding(const uint32_t *words) {
  const uint64_t kept = plan_wide(words);
  for (int capability = 0; capability <= LAST_CAPABILITY_MAX; capability++) {
    if ((kept >> capability & 1) != 0) continue;
    const long result = sys(__NR_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0);
    if (result == -EINVAL) break;  // the kernel's last one was before this
    check(result, "prctl", "PR_CAPBSET_DROP");
  }
}

// Keeps the permitted capabilities over the change of user: setCapabilities decides about them afterwards.
void operation_setIdentity(const uint32_t *words) {
  const uint32_t uid = words[0], gid = words[1];
  const uint32_t group_count = words[3] / sizeof(uint32_t);
  const char *groups = text_at(words[2]);  // without alignment, which the kernel does not ask for
  check(sys(__NR_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl", "PR_SET_KEEPCAPS");
  // A namespace of an ordinary user may deny setgroups: then there are only the groups that its starter had.
  const long grouped = sys(__NR_setgroups, group_count, groups);
  if (grouped != -EPERM || group_count > 0) check(grouped, "setgroups", NULL);
  check(sys(__NR_setresgid, gid, gid, gid), "setresgid", NULL);
  check(sys(__NR_setresuid, uid, uid, uid), "setresuid", NULL);
  check(sys(__NR_prctl, PR_SET_KEEPCAPS, 0, 0, 0, 0), "prctl", "PR_SET_KEEPCAPS");
  self.umask = words[4];
  sys(__NR_umask, words[4]);
}

static uint64_t own_permitted(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {{0}};
  check(sys(__NR_capget, &header, data), "capget", NULL);
  return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

// Capabilities that this process does not have cannot be given: they are left out, as runc leaves out unknown ones.
void operation_setCapabilities(const uint32_t *words) {
  const uint64_t own = own_permitted();
  const uint64_t effective = plan_wide(words) & own, permitted = plan_wide(words + 2) & own;
  const uint64_t inheritable = plan_wide(words + 4) & own, ambient = plan_wide(words + 6);
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  const struct __user_cap_data_struct data[2] = {
      {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
      {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)}};
  check(sys(__NR_capset, &header, data), "capset", NULL);
  sys(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (int capability = 0; capability <= LAST_CAPABILITY_MAX; capability++)
    if ((ambient & permitted & inheritable) >> capability & 1)
      check(sys(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0), "prctl", "PR_CAP_AMBIENT");
}

void operation_noNewPrivileges(const uint32_t *words) {
  (void)words;
  check(sys(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl", "PR_SET_NO_NEW_PRIVS");
}
