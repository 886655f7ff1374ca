#include "kernel/lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "kernel/error.hpp"

namespace keelson::kernel {

namespace {

// Whoever had the lock before may have removed the file: then a lock of it keeps nobody out any more.
bool isRemoved(const Fd& fd, const std::string& path) {
  struct stat status {};
  check(::fstat(fd.get(), &status), "fstat", path);
  return status.st_nlink == 0;
}

}  // namespace

Fd lockFile(const std::string& path, bool tryOnly) {
  for (;;) {
    Fd fd(check(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), "open", path));
    while (::flock(fd.get(), LOCK_EX | (tryOnly ? LOCK_NB : 0)) < 0) {
      if (tryOnly && errno == EWOULDBLOCK) return Fd();
      if (errno != EINTR) fail("flock", path);
    }
    if (!isRemoved(fd, path)) return fd;
  }
}

}  // namespace keelson::kernel
