// Directories by their paths.
#pragma once

#include <string>
#include <vector>

namespace keelson::kernel {

// rmdir(2) of each, in order. True when none is left; false when one is busy or has something in it. May wait for the
// kernel's cgroup lock, so it belongs on a pool thread: all of them on one.
bool removeEmptyDirectories(const std::vector<std::string>& paths);

}  // namespace keelson::kernel
