#include "kernel/sysctl.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/error.hpp"
#include "kernel/fd.hpp"

namespace keelson::kernel {
namespace {

constexpr const char* root = "/proc/sys";

Fd openSysctl(const std::string& path, uint64_t mode) {
  const Fd directory(check(::open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), "open", root));
  struct open_how how = {};
  how.flags = mode | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
  return Fd(static_cast<int>(check(::syscall(SYS_openat2, directory.get(), path.c_str(), &how, sizeof how), "openat2",
                                   std::string(root) + "/" + path)));
}

}  // namespace

void writeSysctl(const std::string& path, const std::string& value) {
  const Fd file = openSysctl(path, O_WRONLY);
  check(::write(file.get(), value.data(), value.size()), "write", std::string(root) + "/" + path);
}

std::string readSysctl(const std::string& path) {
  const Fd file = openSysctl(path, O_RDONLY);
  char text[4096];
  const ssize_t length = check(::read(file.get(), text, sizeof text), "read", std::string(root) + "/" + path);
  std::string value(text, static_cast<size_t>(length));
  if (!value.empty() && value.back() == '\n') value.pop_back();
  return value;
}

}  // namespace keelson::kernel
