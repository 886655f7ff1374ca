// Mounts by descriptor (open_tree, fsopen, move_mount; kernel 5.2), in the calling thread's mount namespace.
#pragma once

#include <cstdint>
#include <string>

#include "kernel/fd.hpp"

namespace keelson::kernel {

// A detached copy of the mount at this path (open_tree(2), OPEN_TREE_CLONE); goes away with its last descriptor.
Fd cloneTree(const std::string& path);

// As cloneTree with all mounts below, cut off from the propagation of what it was cloned from (mount_setattr(2)): what
// is mounted in there later stays in there. The path may be a descriptor's name in /proc, which is followed.
Fd cloneTreePrivately(const std::string& path);

// Nobody writes through this detached tree any more (mount_setattr(2)).
void makeReadOnly(int tree);

// A detached tmpfs, nosuid, nodev, noexec. `sizeBytes` 0 leaves the kernel's default of half the memory.
Fd makeTmpfs(const char* source, uint64_t sizeBytes, const char* mode, uint32_t uid = 0, uint32_t gid = 0);

// Attaches a detached tree (move_mount(2)).
void attachTree(int tree, const std::string& path);

// Cuts the mount at this path off, also while in use (umount2(2), MNT_DETACH). False when nothing is mounted there.
bool detachMount(const std::string& path);

// True when this very path is the root of a mount (statx(2), STATX_ATTR_MOUNT_ROOT).
bool isMountRoot(const std::string& path);

// mount(2), for what has no newer call.
void bindMount(const std::string& source, const std::string& target);
void makePrivate(const std::string& path, bool recursive);

// Leaves only the mount at `path` in the thread's mount namespace, as its root.
void keepOnlyMount(const std::string& path);

}  // namespace keelson::kernel
