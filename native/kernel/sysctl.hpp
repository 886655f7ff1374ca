// Files below /proc/sys. Which namespace they speak of is decided by the thread that opens them.
#pragma once

#include <string>

namespace keelson::kernel {

// `path` is relative to /proc/sys, with slashes; it may not leave it (openat2(2), RESOLVE_BENEATH).
void writeSysctl(const std::string& path, const std::string& value);
// Without the trailing newline.
std::string readSysctl(const std::string& path);

}  // namespace keelson::kernel
