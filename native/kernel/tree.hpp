// A directory tree of somebody else's making, only ever entered through a descriptor of its root.
//
// Every path is relative to that root. Parents are resolved by openat2 with RESOLVE_IN_ROOT, so a symbolic link in
// the tree, absolute or full of "..", leads to a place in the tree; the last component is never followed. What is
// created replaces what was there, except that a directory over a directory keeps its content.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "kernel/fd.hpp"

namespace keelson::kernel {

struct Attributes {
  uint32_t mode = 0;  // permission bits with set-id and sticky
  uint32_t uid = 0;
  uint32_t gid = 0;
  int64_t mtimeSeconds = 0;
  int64_t mtimeNanoseconds = 0;
  std::vector<std::pair<std::string, std::string>> xattrs;
};

// The root: O_PATH, never through a symbolic link in its last component.
Fd treeOpen(const std::string& path);

// Makes what is missing of this directory (0755, root) and returns the paths that it made, parents first.
// A whiteout in the way becomes an opaque directory; any other non-directory is ENOTDIR. More than a thousand, or deeper
// than that, is ENAMETOOLONG.
std::vector<std::string> treeMakeDirectories(int root, const std::string& path);

// The times are not set: what is created inside would change them again (treeSetTimes).
void treeMakeDirectory(int root, const std::string& path, const Attributes& attributes);

// A regular file for reading, links followed inside the tree.
Fd treeOpenFile(int root, const std::string& path);

// A new empty file, open for writing; treeFinishFile gives it its attributes after the content is written.
Fd treeCreateFile(int root, const std::string& path);
void treeFinishFile(int file, const Attributes& attributes);

void treeSymlink(int root, const std::string& path, const std::string& target, const Attributes& attributes);
// A second name for `target`; a symbolic link there is linked itself, not followed.
void treeLink(int root, const std::string& path, const std::string& target);
// `type` is S_IFIFO, S_IFCHR or S_IFBLK.
void treeNode(int root, const std::string& path, uint32_t type, uint32_t major, uint32_t minor,
              const Attributes& attributes);

// Hides the name in the layers below: an overlay whiteout (a character device 0:0). Where this tree has the name
// itself, that stays: a directory becomes opaque, anything else hides the lower one anyway.
void treeWhiteout(int root, const std::string& path);
// Hides everything that the layers below have in this directory.
void treeOpaque(int root, const std::string& path);

// Last component not followed.
void treeSetTimes(int root, const std::string& path, int64_t seconds, int64_t nanoseconds);

// Extended attributes of what lies at this path (never what a link leads to), by name.
std::vector<std::pair<std::string, std::string>> treeXattrs(const std::string& path);

// Owner, mode, times and extended attributes of a directory, put on a directory of another tree.
void treeCopyAttributes(int from, int root, const std::string& path);

// Removes a tree by its path, itself included; absent is no error. For directories of keelson's own.
void treeRemove(const std::string& path);

// Everything written so far to the file system that holds this directory is on disk afterwards (syncfs).
void treeSync(const std::string& path);

struct TreeUsage {
  uint64_t bytes = 0;  // allocated, each inode once
  uint64_t inodes = 0;
};
// Others may change the tree meanwhile: what cannot be reached any more is left out.
TreeUsage treeUsage(const std::string& path);

}  // namespace keelson::kernel
