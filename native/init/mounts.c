// Mounts of the container: new filesystems, binds, trees handed in, masked and read-only paths.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/mount.h"
#include "init/path.h"
#include "init/syscall.h"

#define FILESYSTEM_REAL_TARGET 1  // no symlink may lead to the target (proc, sys)
#define BIND_RECURSIVE 1
#define RECURSIVE_PROPAGATION 16384  // MS_REC

long move_mount_to(int mount, int target) {
  return sys(__NR_move_mount, mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

long set_attributes(int mount, bool recursive, uint64_t set, uint64_t clear, uint64_t propagation) {
  struct mount_attr attributes = {.attr_set = set, .attr_clr = clear, .propagation = propagation};
  const uint32_t flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  return sys(__NR_mount_setattr, mount, "", flags, &attributes, sizeof attributes);
}

// An option is "key=value" or a bare flag.
static long configure(int context, const char *option) {
  char key[64];
  struct text text = {key, sizeof key, 0};
  const char *equals = find_char(option, '=');
  if (equals == NULL) return sys(__NR_fsconfig, context, FSCONFIG_SET_FLAG, option, 0, 0);
  text_add_count(&text, option, (size_t)(equals - option));
  return sys(__NR_fsconfig, context, FSCONFIG_SET_STRING, key, equals + 1, 0);
}

// On failure *call names the system call that failed.
static long make_filesystem(const uint32_t *words, const char **call) {
  const char *source = text_at(words[1]);
  const char *option = text_at(words[3]);
  *call = "fsopen";
  const long context = sys(__NR_fsopen, text_at(words[0]), FSOPEN_CLOEXEC);
  if (context < 0) return context;
  *call = "fsconfig";
  long result = *source == '\0' ? 0 : sys(__NR_fsconfig, context, FSCONFIG_SET_STRING, "source", source, 0);
  for (uint32_t i = 0; i < words[4] && result >= 0; i++, option += length_of(option) + 1)
    result = configure((int)context, option);
  if (result >= 0) result = sys(__NR_fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0);
  if (result >= 0) {
    *call = "fsmount";
    result = sys(__NR_fsmount, context, FSMOUNT_CLOEXEC, (uint32_t)plan_wide(words + 5));
  }
  sys(__NR_close, context);
  return result;
}

static void attach(int mount, int target, const char *path) {
  check(move_mount_to(mount, target), "move_mount", path);
  sys(__NR_close, target);
}

void operation_mountFilesystem(const uint32_t *words) {
  const char *path = text_at(words[2]);
  const char *call;
  const long mount = make_filesystem(words, &call);
  check(mount, call, path);
  const uint64_t resolve = (words[7] & FILESYSTEM_REAL_TARGET) != 0 ? RESOLVE_NO_SYMLINKS : 0;
  attach((int)mount, (int)check(open_target(path, TARGET_DIRECTORY, resolve), "openat2", path), path);
  if (same_text(text_at(words[0]), "proc") && self.proc < 0)
    self.proc = (int)mount;
  else
    sys(__NR_close, mount);
}

static enum target kind_of(int fd) { return (mode_of(fd) & S_IFMT) == S_IFDIR ? TARGET_DIRECTORY : TARGET_FILE; }

void operation_mountBind(const uint32_t *words) {
  const char *source = text_at(words[0]);
  const char *path = text_at(words[1]);
  const bool recursive = (words[2] & BIND_RECURSIVE) != 0;
  const uint32_t flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
  const int tree = (int)check(sys(__NR_open_tree, AT_FDCWD, source, flags), "open_tree", source);
  const uint64_t set = plan_wide(words + 3), clear = plan_wide(words + 5);
  const uint64_t recursive_set = plan_wide(words + 7), recursive_clear = plan_wide(words + 9);
  if (recursive_set != 0 || recursive_clear != 0)
    check(set_attributes(tree, true, recursive_set, recursive_clear, 0), "mount_setattr", path);
  if (set != 0 || clear != 0) check(set_attributes(tree, false, set, clear, 0), "mount_setattr", path);
  attach(tree, (int)check(open_target(path, kind_of(tree), 0), "openat2", path), path);
  const uint32_t propagation = words[11];
  if (propagation != 0)
    check(set_attributes(tree, (propagation & RECURSIVE_PROPAGATION) != 0, 0, 0, propagation & ~RECURSIVE_PROPAGATION),
          "mount_setattr", path);
  sys(__NR_close, tree);
}

void operation_mountTree(const uint32_t *words) {
  const int tree = slot_fd(words[0]);
  const char *path = text_at(words[1]);
  const uint64_t set = plan_wide(words + 2), clear = plan_wide(words + 4);
  if (set != 0 || clear != 0) check(set_attributes(tree, true, set, clear, 0), "mount_setattr", path);
  attach(tree, (int)check(open_target(path, kind_of(tree), 0), "openat2", path), path);
}

// Of a mount that is there already.
void operation_changeMount(const uint32_t *words) {
  const char *path = text_at(words[0]);
  const int target = (int)check(open_in_root(path, O_PATH, 0), "openat2", path);
  check(set_attributes(target, false, plan_wide(words + 1), plan_wide(words + 3), 0), "mount_setattr", path);
  sys(__NR_close, target);
}

static void cover(long mount, int target, const char *path) {
  check(mount, "open_tree", path);
  attach((int)mount, target, path);
  sys(__NR_close, mount);
}

// One empty tmpfs for all masked directories: each mask is a clone of its mount.
static long directory_mask(void) {
  if (self.masks < 0) {
    const int context = (int)check(sys(__NR_fsopen, "tmpfs", FSOPEN_CLOEXEC), "fsopen", "tmpfs");
    sys(__NR_fsconfig, context, FSCONFIG_SET_STRING, "size", "4k", 0);
    sys(__NR_fsconfig, context, FSCONFIG_SET_STRING, "mode", "0755", 0);
    check(sys(__NR_fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0), "fsconfig", "tmpfs");
    self.masks = (int)check(sys(__NR_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY), "fsmount", "tmpfs");
    sys(__NR_close, context);
    return self.masks;
  }
  return sys(__NR_open_tree, self.masks, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
}

// The image may hold anything under the name /dev/null; only the real device is bound over a file (CVE-2025-31133).
static long file_mask(void) {
  const int null = (int)check(open_in_root("/dev/null", O_PATH | O_NOFOLLOW, 0), "openat2", "/dev/null");
  if (!is_device(null, 1, 3)) fail("/dev/null is not the null device", -EPERM, "/dev/null");
  const long mount = sys(__NR_open_tree, null, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  sys(__NR_close, null);
  return mount;
}

void operation_maskPath(const uint32_t *words) {
  const char *path = text_at(words[0]);
  const long target = open_in_root(path, O_PATH, 0);
  if (target == -ENOENT || target == -ENOTDIR) return;
  check(target, "openat2", path);
  if (kind_of((int)target) == TARGET_FILE) return cover(file_mask(), (int)target, path);
  const bool first = self.masks < 0;
  const long mask = directory_mask();
  if (!first) return cover(mask, (int)target, path);
  attach((int)mask, (int)target, path);
}

void operation_readonlyPath(const uint32_t *words) {
  const char *path = text_at(words[0]);
  const long target = open_in_root(path, O_PATH, 0);
  if (target == -ENOENT || target == -ENOTDIR) return;
  check(target, "openat2", path);
  const uint32_t flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
  const long tree = check(sys(__NR_open_tree, target, "", flags), "open_tree", path);
  check(set_attributes((int)tree, false, MOUNT_ATTR_RDONLY, 0, 0), "mount_setattr", path);
  cover(tree, (int)target, path);
}
