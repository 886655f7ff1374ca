// How overlayfs marks what a layer hides (Documentation/filesystems/overlayfs, "whiteouts and opaque directories").
#pragma once

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <string>

#include "kernel/error.hpp"

namespace keelson::kernel {

inline constexpr const char* kOpaque = "trusted.overlay.opaque";

inline bool isWhiteout(const struct stat& status) { return S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0); }

inline bool isOverlayMark(const std::string& xattr) {
  return xattr.rfind("trusted.overlay.", 0) == 0 || xattr.rfind("user.overlay.", 0) == 0;
}

inline void markOpaque(int directory, const std::string& path) {
  check(::fsetxattr(directory, kOpaque, "y", 1, 0), "fsetxattr", path);
}

inline bool isOpaque(int directory) {
  char value = 0;
  return ::fgetxattr(directory, kOpaque, &value, 1) == 1 && value == 'y';
}

}  // namespace keelson::kernel
