#include "kernel/directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string_view>

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

bool removeFlatDirectory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return true;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::fdopendir(check(fd, "open", path)), ::closedir);
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == ".." || ::unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT) continue;
    if (errno != EISDIR) fail("unlinkat", path + "/" + entry->d_name);
    return false;
  }
  if (::rmdir(path.c_str()) < 0 && errno != ENOENT) fail("rmdir", path);
  return true;
}

}  // namespace keelson::kernel
