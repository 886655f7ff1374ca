#include "kernel/path.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <memory>

#include "kernel/error.hpp"

namespace keelson::kernel {

std::vector<std::string> splitPath(const std::string& path) {
  std::vector<std::string> names;
  for (size_t at = 0; at < path.size();) {
    const size_t slash = path.find('/', at);
    const size_t end = slash == std::string::npos ? path.size() : slash;
    std::string name = path.substr(at, end - at);
    if (!name.empty() && name != ".") names.push_back(std::move(name));
    at = end + 1;
  }
  return names;
}

std::string joinPath(const std::vector<std::string>& names, const std::string& last) {
  std::string path;
  for (const std::string& name : names) path += (path.empty() ? "" : "/") + name;
  if (!last.empty()) path += (path.empty() ? "" : "/") + last;
  return path;
}

std::pair<std::string, std::string> splitLast(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

std::vector<std::string> listNames(int directory) {
  // A descriptor of its own: the stream owns it and moves its offset.
  const int own = check(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "openat", ".");
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own), ::closedir);
  if (!stream) {
    ::close(own);
    fail("fdopendir");
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
    errno = 0;
  }
  if (errno != 0) fail("getdents64");
  return names;
}

}  // namespace keelson::kernel
