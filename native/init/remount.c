// Changing mounts that are there: options of a file system, and where a mount's own mounts spread to.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/mount.h"
#include "init/path.h"
#include "init/syscall.h"

#define PARENTS_MAX 1024

// words: path, options, set, clear.
void operation_reconfigureMount(const uint32_t *words) {
  const char *path = text_at(words[0]);
  const int target = (int)check(open_in_root(path, O_PATH, 0), "openat2", path);
  const int context = (int)check(sys(__NR_fspick, target, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH), "fspick", path);
  check(configure_each(context, text_at(words[1]), words[2]), "fsconfig", path);
  check(sys(__NR_fsconfig, context, FSCONFIG_CMD_RECONFIGURE, 0, 0, 0), "fsconfig", path);
  check(set_attributes(target, false, plan_wide(words + 3), plan_wide(words + 5), 0), "mount_setattr", path);
  sys(__NR_close, context);
  sys(__NR_close, target);
}

static bool is_mount_root(int directory) {
  struct statx status;
  if (sys(__NR_statx, directory, "", AT_EMPTY_PATH, STATX_TYPE, &status) < 0) return false;
  return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

// Where the host's mounts stay shared, what is mounted below this path must not reach the host all the same: the mount
// that holds it is made private. Only a mount's root can be named for that, so we climb to it.
void operation_privateMount(const uint32_t *words) {
  const char *path = text_at(words[0]);
  long at = check(sys(__NR_openat, AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC), "openat", path);
  for (int left = PARENTS_MAX; !is_mount_root((int)at); left--) {
    if (left == 0) fail("openat", -ELOOP, path);
    const long parent = check(sys(__NR_openat, at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC), "openat", path);
    sys(__NR_close, at);
    at = parent;
  }
  check(set_attributes((int)at, false, 0, 0, MOUNT_PRIVATE), "mount_setattr", path);
  sys(__NR_close, at);
}
