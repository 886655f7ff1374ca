// Mount trees that are taken from the host before the clone. Where there is a user namespace, the container's root is
// somebody whom the directories above a rootfs or a volume may shut out, and it has no right to give a mount another
// map of ids; its starter may do both. A tree is detached until it is attached, so it crosses the border between the
// two mount namespaces as a descriptor.
#include "init/init.h"
#include "init/linux.h"
#include "init/mount.h"
#include "init/path.h"
#include "init/syscall.h"
#include "init/trees.h"

#define TREE_RECURSIVE 1
#define TREE_RECURSIVE_MAP 2
#define TREE_NOFOLLOW 4
#define RECURSIVE_PROPAGATION 16384  // MS_REC

long map_mount(int tree, bool recursive, int user_namespace) {
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_namespace};
  const uint32_t flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  return sys(__NR_mount_setattr, tree, "", flags, &attributes, sizeof attributes);
}

// A clone is a peer of what it was cloned from: propagation comes first of all, or mounts that are made on it later
// would appear on the host. Without a source it is the tree that the slot holds already.
void operation_openTree(const uint32_t *words) {
  const char *source = text_at(words[0]);
  const uint32_t flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | ((words[1] & TREE_RECURSIVE) != 0 ? AT_RECURSIVE : 0) |
                         ((words[1] & TREE_NOFOLLOW) != 0 ? AT_SYMLINK_NOFOLLOW : 0);
  const long opened = *source == '\0' ? slot_fd(words[4]) : sys(__NR_open_tree, AT_FDCWD, source, flags);
  const int tree = (int)check(opened, "open_tree", source);
  const bool deep = (words[2] & RECURSIVE_PROPAGATION) != 0;
  const uint32_t propagation = words[2] & ~(uint32_t)RECURSIVE_PROPAGATION;
  if (propagation != 0) check(set_attributes(tree, deep, 0, 0, propagation), "mount_setattr", source);
  if (slot_fd(words[3]) >= 0)
    check(map_mount(tree, (words[1] & TREE_RECURSIVE_MAP) != 0, slot_fd(words[3])), "idmap", source);
  self.slots[words[4]] = tree;
}

// Without a tree the root is the one that a joined mount namespace has, where nothing is mounted.
void operation_rootTree(const uint32_t *words) {
  self.root = slot_fd(words[0]);
  if (self.root < 0)
    self.root = (int)check(sys(__NR_openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC), "openat", "/");
}

// The working directory follows a clone into its new mount namespace, which no descriptor does: it is then a place
// there for a process that could not walk to it.
void operation_standIn(const uint32_t *words) {
  const int fd = slot_fd(words[0]);
  if (fd < 0)
    check(sys(__NR_chdir, "/"), "chdir", "/");
  else
    check(sys(__NR_fchdir, fd), "fchdir", NULL);
}

// Nobody may make device nodes in a user namespace, so the host's own node is bound. It has to be the device that was
// asked for: under its name the host may have anything.
void operation_bindNode(const uint32_t *words) {
  const char *path = text_at(words[0]);
  struct statx status;
  const int node = (int)check(sys(__NR_openat, AT_FDCWD, path, O_PATH | O_NOFOLLOW | O_CLOEXEC), "openat", path);
  check(sys(__NR_statx, node, "", AT_EMPTY_PATH, STATX_TYPE, &status), "statx", path);
  const bool same = (status.stx_mode & S_IFMT) == words[1] && status.stx_rdev_major == words[2] &&
                    status.stx_rdev_minor == words[3];
  if (!same) fail("the host has another device under this name", -ENODEV, path);
  const uint32_t flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
  const int tree = (int)check(sys(__NR_open_tree, node, "", flags), "open_tree", path);
  const int target = (int)check(open_target(path, TARGET_FILE, 0), "openat2", path);
  check(move_mount_to(tree, target), "move_mount", path);
  sys(__NR_close, target);
  sys(__NR_close, tree);
  sys(__NR_close, node);
}
