// Directories by their paths.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace keelson::kernel {

// The content of files of one directory, nothing for those that are not there; nothing at all without the directory.
// For small files of file systems in memory, where every call is instant: all of them for one trip.
using FileContent = std::optional<std::string>;
std::optional<std::vector<FileContent>> readFiles(const std::string& directory, const std::vector<std::string>& names);

// Whether each of the paths leads somewhere.
std::vector<bool> whichExist(const std::vector<std::string>& paths);

// Tells the file system that what lies in this directory's subdirectories is unrelated (FS_TOPDIR_FL, chattr(1) `T`): ext4
// then gives each of them a part of the disk of its own. A hint: file systems without it ignore it.
void spreadSubdirectories(const std::string& path);

// rmdir(2) of each, in order. True when none is left; false when one is busy or has something in it. May wait for the
// kernel's cgroup lock, so it belongs on a pool thread: all of them on one.
bool removeEmptyDirectories(const std::vector<std::string>& paths);

// Unlinks everything in the directory and removes it. False when it holds a directory. Absent counts as removed.
bool removeFlatDirectory(const std::string& path);

}  // namespace keelson::kernel
