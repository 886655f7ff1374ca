#include "kernel/directory.hpp"

#include <unistd.h>

#include "kernel/error.hpp"

namespace keelson::kernel {

bool removeEmptyDirectories(const std::vector<std::string>& paths) {
  bool gone = true;
  for (const std::string& path : paths) {
    if (::rmdir(path.c_str()) == 0 || errno == ENOENT) continue;
    if (errno != EBUSY && errno != ENOTEMPTY) fail("rmdir", path);
    gone = false;
  }
  return gone;
}

}  // namespace keelson::kernel
