#include "kernel/directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <memory>
#include <string_view>

#include "kernel/error.hpp"
#include "kernel/fd.hpp"

namespace keelson::kernel {
namespace {

// Gone, going (a cgroup that is being removed), or of a kernel that lacks it.
bool isAbsence(int error) {
  return error == ENOENT || error == ENOTDIR || error == ENODEV || error == EOPNOTSUPP;
}

// A regular file gives less than was asked for only at its end.
FileContent readFile(int directory, const std::string& name) {
  const Fd file(::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && isAbsence(errno)) return std::nullopt;
  check(file.get(), "openat", name);
  std::string content;
  for (char chunk[8192];;) {
    const ssize_t count = ::read(file.get(), chunk, sizeof chunk);
    if (count < 0 && isAbsence(errno)) return std::nullopt;
    content.append(chunk, static_cast<size_t>(check(count, "read", name)));
    if (static_cast<size_t>(count) < sizeof chunk) return content;
  }
}

}  // namespace

std::optional<std::vector<FileContent>> readFiles(const std::string& directory,
                                                  const std::vector<std::string>& names) {
  const Fd folder(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder && isAbsence(errno)) return std::nullopt;
  check(folder.get(), "open", directory);
  std::vector<FileContent> contents;
  for (const std::string& name : names) contents.push_back(readFile(folder.get(), name));
  return contents;
}

std::vector<bool> whichExist(const std::vector<std::string>& paths) {
  std::vector<bool> exist;
  for (const std::string& path : paths) exist.push_back(::access(path.c_str(), F_OK) == 0);
  return exist;
}

void spreadSubdirectories(const std::string& path) {
  const Fd folder(check(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open", path));
  int flags = 0;
  if (::ioctl(folder.get(), FS_IOC_GETFLAGS, &flags) == -1 || (flags & FS_TOPDIR_FL) != 0) return;
  flags |= FS_TOPDIR_FL;
  ::ioctl(folder.get(), FS_IOC_SETFLAGS, &flags);
}

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
