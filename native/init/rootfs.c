// The root filesystem: overlay or directory, attached, and made the root.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/mount.h"
#include "init/path.h"
#include "init/syscall.h"

#define DETACH 2
#define CONFIG_STRING_MAX 255
#define OVERLAY_VOLATILE 1
#define OVERLAY_CLASSIC 2  // take the lower rung of the ladder even where the upper one is there (tests)

void operation_setPropagation(const uint32_t *words) {
  check(sys(__NR_mount, 0, "/", 0, words[0], 0), "mount", "/");
}

static long set_string(int context, const char *key, const char *value) {
  if (length_of(value) > CONFIG_STRING_MAX) return -E2BIG;
  return sys(__NR_fsconfig, context, FSCONFIG_SET_STRING, key, value, 0);
}

// Upper rung: one lowerdir+ per layer, so that no string holds them all. -errno where the kernel is older.
static long overlay_by_layers(const uint32_t *words) {
  const char *lower = text_at(words[0]);
  const long context = sys(__NR_fsopen, "overlay", FSOPEN_CLOEXEC);
  if (context < 0) return context;
  long result = 0;
  for (uint32_t i = 0; i < words[1] && result >= 0; i++, lower += length_of(lower) + 1)
    result = set_string((int)context, "lowerdir+", lower);
  if (result >= 0) result = set_string((int)context, "upperdir", text_at(words[2]));
  if (result >= 0) result = set_string((int)context, "workdir", text_at(words[3]));
  if (result >= 0 && (words[4] & OVERLAY_VOLATILE) != 0)
    result = sys(__NR_fsconfig, context, FSCONFIG_SET_FLAG, "volatile", 0, 0);
  if (result >= 0) result = sys(__NR_fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0);
  if (result >= 0) result = sys(__NR_fsmount, context, FSMOUNT_CLOEXEC, 0);
  sys(__NR_close, context);
  return result;
}

static int open_layer(const char *path) {
  return (int)check(sys(__NR_openat, AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC), "openat", path);
}

// Lower rung: mount(2) takes one page of options, so the layers are named by their descriptors, relative to
// /proc/self/fd: three or four bytes each, whatever their paths. The mount is then taken out of the place where it
// had to be made; our mount namespace is private, so nobody saw it there.
static long overlay_by_descriptors(const uint32_t *words) {
  static char options[PATH_BYTES];
  struct text text = {options, sizeof options, 0};
  const char *lower = text_at(words[0]);
  for (uint32_t i = 0; i < words[1]; i++, lower += length_of(lower) + 1) {
    text_add(&text, i == 0 ? "lowerdir=" : ":");
    text_add_number(&text, open_layer(lower));
  }
  text_add(&text, ",upperdir=");
  text_add_number(&text, open_layer(text_at(words[2])));
  text_add(&text, ",workdir=");
  text_add_number(&text, open_layer(text_at(words[3])));
  if ((words[4] & OVERLAY_VOLATILE) != 0) text_add(&text, ",volatile");
  if (text.length + 1 >= text.size) return -E2BIG;
  const char *place = text_at(words[3]);
  check(sys(__NR_chdir, "/proc/self/fd"), "chdir", "/proc/self/fd");
  const long mounted = sys(__NR_mount, "overlay", place, "overlay", 0, options);
  check(sys(__NR_chdir, "/"), "chdir", "/");
  if (mounted < 0) return mounted;
  const long tree = sys(__NR_open_tree, AT_FDCWD, place, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  sys(__NR_umount2, place, DETACH);
  return tree;
}

void operation_rootOverlay(const uint32_t *words) {
  long tree = (words[4] & OVERLAY_CLASSIC) == 0 ? overlay_by_layers(words) : -ENOSYS;
  if (tree == -EINVAL || tree == -ENOSYS || tree == -E2BIG) tree = overlay_by_descriptors(words);
  self.root = (int)check(tree, "overlay", text_at(words[2]));
}

void operation_rootDirectory(const uint32_t *words) {
  const char *path = text_at(words[0]);
  const uint32_t flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
  self.root = (int)check(sys(__NR_open_tree, AT_FDCWD, path, flags), "open_tree", path);
}

// Mounts can only be made below a mount that is attached somewhere. The place is any directory: our mount namespace
// is private, and after the pivot the place is gone. By path: a descriptor opened before the clone belongs to the
// host's mount namespace, where nothing of ours can be attached. The empty path is the working directory itself, which
// even "." could not name: that is a step into it, and may be forbidden.
void operation_attachRoot(const uint32_t *words) {
  const char *place = text_at(words[0]);
  const uint32_t flags = MOVE_MOUNT_F_EMPTY_PATH | (*place == '\0' ? MOVE_MOUNT_T_EMPTY_PATH : 0);
  check(sys(__NR_move_mount, self.root, "", AT_FDCWD, place, flags), "move_mount", place);
}

// pivot_root(".", ".") stacks the old root on the new one; detaching "." then removes the old. Where the host's mounts
// are still shared (rootfsPropagation), detaching them here would detach them on the host: they become slaves first.
void operation_pivotRoot(const uint32_t *words) {
  (void)words;
  const long old = check(sys(__NR_openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC), "openat", "/");
  check(sys(__NR_fchdir, self.root), "fchdir", "rootfs");
  check(sys(__NR_pivot_root, ".", "."), "pivot_root", ".");
  check(set_attributes((int)old, true, 0, 0, MOUNT_SLAVE), "mount_setattr", "old root");
  check(sys(__NR_umount2, ".", DETACH), "umount2", ".");
  check(sys(__NR_chdir, "/"), "chdir", "/");
  sys(__NR_close, old);
}

void operation_readonlyRoot(const uint32_t *words) {
  (void)words;
  check(set_attributes(self.root, false, MOUNT_ATTR_RDONLY, 0, 0), "mount_setattr", "/");
}
