#include "kernel/file-lock.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include "kernel/error.hpp"

namespace keelson::kernel {

Fd fileLock(const std::string& path) {
  Fd file(check(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), "open", path));
  check(::flock(file.get(), LOCK_EX | LOCK_NB), "flock", path);
  return file;
}

}  // namespace keelson::kernel
