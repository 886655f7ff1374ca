#include "kernel/lock.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include "kernel/error.hpp"

namespace keelson::kernel {

Fd lockFile(const std::string& path, bool tryOnly) {
  Fd fd(check(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), "open", path));
  while (::flock(fd.get(), LOCK_EX | (tryOnly ? LOCK_NB : 0)) < 0) {
    if (tryOnly && errno == EWOULDBLOCK) return Fd();
    if (errno != EINTR) fail("flock", path);
  }
  return fd;
}

}  // namespace keelson::kernel
