// Directories by their paths.
#pragma once

#include <string>
#include <vector>

namespace keelson::kernel {

// rmdir(2) of each, in order. True when none is left; false when one is busy or has something in it. May wait for the
// kernel's cgroup lock, so it belongs on a pool thread: all of them on one.
bool removeEmptyDirectories(const std::vector<std::string>& paths);

// Unlinks everything in the directory and removes it. False when it holds a directory. Absent counts as removed.
bool removeFlatDirectory(const std::string& path);

}  // namespace keelson::kernel
