// The container's own cgroups: their directories, and copies of them on its /sys/fs/cgroup.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/mount.h"
#include "init/syscall.h"

#define GROUP_MODE 0755

static uint32_t count_slashes(const char *path) {
  uint32_t count = 0;
  for (const char *c = path; *c != '\0'; c++) count += *c == '/';
  return count;
}

// The last `count` of the directories above it, from the top.
static void make_parents(const char *path, uint32_t count) {
  char parent[PATH_BYTES];
  struct text text = {parent, sizeof parent, 0};
  uint32_t left = count_slashes(path);
  for (const char *c = path; *c != '\0'; c++) {
    if (*c == '/' && left-- <= count) {
      const long made = sys(__NR_mkdirat, AT_FDCWD, parent, GROUP_MODE);
      if (made != -EEXIST) check(made, "mkdirat", parent);
    }
    text_add_count(&text, c, 1);
  }
}

// With as many levels above it as are the container's own; usually they are there. So may be the group itself.
void operation_makeGroup(const uint32_t *words) {
  const char *path = text_at(words[0]);
  long made = sys(__NR_mkdirat, AT_FDCWD, path, GROUP_MODE);
  if (made == -ENOENT && words[1] > 0) {
    make_parents(path, words[1]);
    made = sys(__NR_mkdirat, AT_FDCWD, path, GROUP_MODE);
  }
  if (made != -EEXIST) check(made, "mkdirat", path);
}

#define ALL_ATTRIBUTES                                                                                       \
  (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR__ATIME |        \
   MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW)

// Whatever the host's mount has of these, and whomever it tells of changes: the copy has exactly what was asked for.
static long copy_of(const char *source, uint64_t attributes) {
  const long tree = sys(__NR_open_tree, AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  check(tree, "open_tree", source);
  check(set_attributes((int)tree, false, attributes, ALL_ATTRIBUTES, MOUNT_PRIVATE), "mount_setattr", source);
  return tree;
}

// On the file system that was mounted just before: an empty tmpfs that is ours alone, by its descriptor, so that nobody
// who shares the image leads us elsewhere. In the container's cgroup namespace a copy of the host's mount, begun at
// the container's own group, is what mounting the hierarchy anew would give; it costs a third, as neither the file
// system's options nor the way to each target are looked up.
void operation_bindGroups(const uint32_t *words) {
  const char *name = text_at(words[0]), *source = text_at(words[2]);
  const uint32_t count = words[1] < words[3] ? words[1] : words[3];
  for (uint32_t i = 0; i < count; i++, name += length_of(name) + 1, source += length_of(source) + 1) {
    const long tree = copy_of(source, plan_wide(words + 4));
    check(sys(__NR_mkdirat, self.fresh, name, GROUP_MODE), "mkdirat", name);
    check(sys(__NR_move_mount, tree, "", self.fresh, name, MOVE_MOUNT_F_EMPTY_PATH), "move_mount", name);
    sys(__NR_close, tree);
  }
}
