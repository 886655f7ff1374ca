// Mounts of the container: new filesystems, binds, trees handed in, masked and read-only paths.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/mount.h"
#include "init/path.h"
#include "init/proc.h"
#include "init/syscall.h"

#define RECURSIVE_PROPAGATION 16384  // MS_REC
// What may be asked of any mount.
#define REAL_TARGET 1        // no symlink may lead to the target (proc, sys)
#define TARGET_NOFOLLOW 2    // a symlink at the target is itself covered
#define OVER_PROC 4          // the target may lie on a procfs
#define SOURCE_PROC 8        // the source must be the root of a procfs
#define SOURCE_NOFOLLOW 16
#define SOURCE_RECURSIVE 32
#define COPY_UP 64           // what the target holds is copied into the new file system
#define KEEP_MODE 128        // a target that was there gives the new root its mode
#define COPY_SYMLINK 256     // a source that is a symlink is made again at the target
#define PROC_ROOT_INODE 1

// On failure *call names the system call that failed.
static long make_filesystem(const uint32_t *words, uint32_t attributes, const char **call) {
  const char *source = text_at(words[1]);
  const char *option = text_at(words[3]);
  *call = "fsopen";
  const long context = sys(__NR_fsopen, text_at(words[0]), FSOPEN_CLOEXEC);
  if (context < 0) return context;
  *call = "fsconfig";
  long result = *source == '\0' ? 0 : sys(__NR_fsconfig, context, FSCONFIG_SET_STRING, "source", source, 0);
  if (result >= 0) result = configure_each((int)context, option, words[4]);
  if (result >= 0) result = sys(__NR_fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0);
  if (result >= 0) {
    *call = "fsmount";
    result = sys(__NR_fsmount, context, FSMOUNT_CLOEXEC, attributes);
  }
  sys(__NR_close, context);
  return result;
}

static enum target kind_of(int fd) { return (mode_of(fd) & S_IFMT) == S_IFDIR ? TARGET_DIRECTORY : TARGET_FILE; }

// A mount over a file of procfs would stand in for a setting or a label that we, or the program, believe to write
// (CVE-2019-16884): the plan names the few that are allowed, and a symlink leads to no others.
static int open_mount_target(const char *path, enum target kind, uint32_t flags) {
  const uint64_t resolve = (flags & REAL_TARGET) != 0 ? RESOLVE_NO_SYMLINKS : 0;
  const uint64_t follow = (flags & TARGET_NOFOLLOW) != 0 ? O_NOFOLLOW : 0;
  const int target = (int)check(open_target_as(path, kind, follow, resolve), "openat2", path);
  if ((flags & OVER_PROC) == 0 && is_proc(target)) fail("mount over procfs", -EPERM, path);
  return target;
}

// The last mount that was put on a place, by its own descriptor.
static void keep_place(const char *path, int mount) {
  const int kept = same_text(path, "/proc") ? PLACE_PROC : same_text(path, "/sys") ? PLACE_SYS : PLACES;
  if (kept == PLACES) return;
  if (self.places[kept] >= 0) sys(__NR_close, self.places[kept]);
  self.places[kept] = (int)check(sys(__NR_fcntl, mount, F_DUPFD_CLOEXEC, 0), "fcntl", path);
}

static void attach(int mount, int target, const char *path) {
  check(move_mount_to(mount, target), "move_mount", path);
  sys(__NR_close, target);
  keep_place(path, mount);
}

static void change(int mount, bool recursive, const uint32_t *set_and_clear, const char *path) {
  const uint64_t set = plan_wide(set_and_clear), clear = plan_wide(set_and_clear + 2);
  if (set != 0 || clear != 0) check(set_attributes(mount, recursive, set, clear, 0), "mount_setattr", path);
}

// Once it is attached: `slave` and then `shared` are both in force, so each is a call of its own.
static void propagate(int mount, const uint32_t *bytes, const char *path) {
  for (uint32_t at = 0; at + sizeof(uint32_t) <= bytes[1]; at += sizeof(uint32_t)) {
    uint32_t kind;
    memcpy(&kind, text_at(bytes[0] + at), sizeof kind);
    const bool recursive = (kind & RECURSIVE_PROPAGATION) != 0;
    check(set_attributes(mount, recursive, 0, 0, kind & ~RECURSIVE_PROPAGATION), "mount_setattr", path);
  }
}

// The mode that the new root takes over from the directory that it covers; 0 for none.
static uint32_t mode_to_keep(const char *path, uint32_t flags) {
  const long there = (flags & KEEP_MODE) != 0 ? open_in_root(path, O_PATH | O_DIRECTORY, 0) : -ENOENT;
  if (there < 0) return 0;
  const uint32_t mode = mode_of((int)there);
  sys(__NR_close, there);
  return mode;
}

// words: type, source, target, options, attributes, flags, propagation.
void operation_mountFilesystem(const uint32_t *words) {
  const char *path = text_at(words[2]);
  const uint32_t attributes = (uint32_t)plan_wide(words + 5), flags = words[7];
  const bool fill = (flags & COPY_UP) != 0;
  const uint32_t kept_mode = mode_to_keep(path, flags);
  const char *call;
  const long made = make_filesystem(words, fill ? attributes & ~MOUNT_ATTR_RDONLY : attributes, &call);
  const int mount = (int)check(made, call, path);
  const int target = open_mount_target(path, TARGET_DIRECTORY, flags);
  if (kept_mode != 0) set_mode(mount, kept_mode);
  if (fill) copy_up(target, mount, path);
  if (fill && (attributes & MOUNT_ATTR_RDONLY) != 0)
    check(set_attributes(mount, false, MOUNT_ATTR_RDONLY, 0, 0), "mount_setattr", path);
  attach(mount, target, path);
  propagate(mount, words + 8, path);
  if (same_text(text_at(words[0]), "proc")) keep_proc(mount);
  if (self.fresh >= 0) sys(__NR_close, self.fresh);
  self.fresh = mount;
}

static bool is_proc_root(int fd) {
  struct statx status;
  return is_proc(fd) && sys(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_INO, &status) >= 0 &&
         status.stx_ino == PROC_ROOT_INODE;
}

// words: target, flags, set, clear, recursive set, recursive clear, propagation. The recursive ones come last and win.
static void place_tree(int tree, const uint32_t *words) {
  const char *path = text_at(words[0]);
  const uint32_t flags = words[1];
  if ((flags & SOURCE_PROC) != 0 && !is_proc_root(tree)) fail("not a procfs", -EPERM, path);
  change(tree, false, words + 2, path);
  change(tree, true, words + 6, path);
  attach(tree, open_mount_target(path, kind_of(tree), flags), path);
  propagate(tree, words + 10, path);
}

static long open_source(const char *source, uint32_t flags) {
  const uint32_t follow = (flags & SOURCE_NOFOLLOW) != 0 ? AT_SYMLINK_NOFOLLOW : 0;
  const uint32_t recursive = (flags & SOURCE_RECURSIVE) != 0 ? AT_RECURSIVE : 0;
  return sys(__NR_open_tree, AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | follow | recursive);
}

void operation_mountBind(const uint32_t *words) {
  const char *source = text_at(words[0]);
  if ((words[2] & COPY_SYMLINK) != 0 && copy_symlink(source, text_at(words[1]))) return;
  const int tree = (int)check(open_source(source, words[2]), "open_tree", source);
  place_tree(tree, words + 1);
  sys(__NR_close, tree);
}

// Of a tree that was handed in.
void operation_mountTree(const uint32_t *words) { place_tree(slot_fd(words[0]), words + 1); }

// Of a mount that is there already.
void operation_changeMount(const uint32_t *words) {
  const char *path = text_at(words[0]);
  const int target = (int)check(open_in_root(path, O_PATH, 0), "openat2", path);
  change(target, false, words + 1, path);
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

static const char *below(const char *path, const char *place) {
  for (; *place != '\0'; place++, path++)
    if (*path != *place) return NULL;
  return *path == '/' ? path + 1 : NULL;
}

// What is hidden in /proc and /sys is looked for in the mounts that we made. Whoever shares the image can rename the
// directory that they hang on, and a symlink in its place would lead us to where there is nothing to hide
// (CVE-2023-28642).
static long open_hidden(const char *path) {
  static const char *const names[PLACES] = {[PLACE_PROC] = "/proc", [PLACE_SYS] = "/sys"};
  const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
  for (int i = 0; i < PLACES; i++) {
    const char *rest = self.places[i] < 0 ? NULL : below(path, names[i]);
    if (rest != NULL) return sys(__NR_openat2, self.places[i], *rest == '\0' ? "." : rest, &how, sizeof how);
  }
  return open_in_root(path, O_PATH, 0);
}

void operation_maskPath(const uint32_t *words) {
  const char *path = text_at(words[0]);
  const long target = open_hidden(path);
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
  const long target = open_hidden(path);
  if (target == -ENOENT || target == -ENOTDIR) return;
  check(target, "openat2", path);
  const uint32_t flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
  const long tree = check(sys(__NR_open_tree, target, "", flags), "open_tree", path);
  check(set_attributes((int)tree, false, MOUNT_ATTR_RDONLY, 0, 0), "mount_setattr", path);
  cover(tree, (int)target, path);
}
