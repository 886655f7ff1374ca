#include "kernel/namespace.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>

#include "kernel/error.hpp"

namespace keelson::kernel {

void unshareThread(int flags) { check(::unshare(flags | CLONE_FS), "unshare"); }

void enterNamespace(int fd, int type, const std::string& name) { check(::setns(fd, type), "setns", name); }

Fd openOwnNamespace(const char* kind) {
  const std::string path = std::string("/proc/thread-self/ns/") + kind;
  return Fd(check(::open(path.c_str(), O_RDONLY | O_CLOEXEC), "open", path));
}

bool isNamespace(int fd, int type) { return namespaceType(fd) == type; }

// Only on nsfs does the number of the ioctl mean this question.
int namespaceType(int fd) {
  struct statfs system;
  check(::fstatfs(fd, &system), "fstatfs");
  return system.f_type == NSFS_MAGIC ? check(::ioctl(fd, NS_GET_NSTYPE), "NS_GET_NSTYPE") : 0;
}

void raiseLoopback() {
  const Fd socket(check(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"));
  struct ifreq request = {};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_LOOPBACK;
  check(::ioctl(socket.get(), SIOCSIFFLAGS, &request), "SIOCSIFFLAGS", "lo");
}

}  // namespace keelson::kernel
