#include "kernel/mount.hpp"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/error.hpp"

namespace keelson::kernel {
namespace {

// <sys/mount.h> has these, but it and <linux/mount.h> exclude each other in glibc 2.36.
constexpr int detachFlag = 2;       // MNT_DETACH
constexpr int noFollowFlag = 8;     // UMOUNT_NOFOLLOW
constexpr int privateFlag = 1 << 18;  // MS_PRIVATE
constexpr int emptyPathFlag = 0x4;  // MOVE_MOUNT_F_EMPTY_PATH

void mountCall(const char* source, const char* target, const char* type, unsigned long flags) {
  check(::syscall(SYS_mount, source, target, type, flags, nullptr), "mount", target);
}

void setString(int context, const char* key, const std::string& value) {
  check(::syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value.c_str(), 0), "fsconfig",
        std::string(key) + "=" + value);
}

}  // namespace

Fd cloneTree(const std::string& path) {
  return Fd(static_cast<int>(
      check(::syscall(SYS_open_tree, AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), "open_tree", path)));
}

Fd cloneTreePrivately(const std::string& path) {
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
  Fd tree(static_cast<int>(check(::syscall(SYS_open_tree, AT_FDCWD, path.c_str(), flags), "open_tree", path)));
  struct mount_attr attributes = {};
  attributes.propagation = privateFlag;
  check(::syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes),
        "mount_setattr", path);
  return tree;
}

void makeReadOnly(int tree) {
  struct mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  check(::syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes), "mount_setattr", "");
}

Fd makeTmpfs(const char* source, uint64_t sizeBytes, const char* mode, uint32_t uid, uint32_t gid) {
  const Fd context(static_cast<int>(check(::syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC), "fsopen", "tmpfs")));
  setString(context.get(), "source", source);
  setString(context.get(), "mode", mode);
  if (uid > 0) setString(context.get(), "uid", std::to_string(uid));
  if (gid > 0) setString(context.get(), "gid", std::to_string(gid));
  if (sizeBytes > 0) setString(context.get(), "size", std::to_string(sizeBytes));
  check(::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0), "fsconfig", "tmpfs");
  const unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  return Fd(static_cast<int>(
      check(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, attributes), "fsmount", "tmpfs")));
}

void attachTree(int tree, const std::string& path) {
  check(::syscall(SYS_move_mount, tree, "", AT_FDCWD, path.c_str(), emptyPathFlag), "move_mount", path);
}

bool detachMount(const std::string& path) {
  if (::syscall(SYS_umount2, path.c_str(), detachFlag | noFollowFlag) == 0) return true;
  if (errno == EINVAL || errno == ENOENT) return false;
  fail("umount2", path);
}

bool isMountRoot(const std::string& path) {
  struct statx status;
  if (::syscall(SYS_statx, AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &status) != 0) {
    if (errno == ENOENT) return false;
    fail("statx", path);
  }
  return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

void bindMount(const std::string& source, const std::string& target) {
  mountCall(source.c_str(), target.c_str(), nullptr, MS_BIND);
}

void makePrivate(const std::string& path, bool recursive) {
  mountCall(nullptr, path.c_str(), nullptr, MS_PRIVATE | (recursive ? MS_REC : 0));
}

void keepOnlyMount(const std::string& path) {
  check(::chdir(path.c_str()), "chdir", path);
  // Root and old root at one place: the old root is stacked on the new one, where "." still finds it (pivot_root(2)).
  check(::syscall(SYS_pivot_root, ".", "."), "pivot_root", path);
  check(::syscall(SYS_umount2, ".", detachFlag), "umount2", "/");
  check(::chdir("/"), "chdir", "/");
}

}  // namespace keelson::kernel
