// A system call that failed, as plain data: binding/ turns it into the JavaScript SyscallError.
#pragma once

#include <cerrno>
#include <string>
#include <utility>

namespace keelson::kernel {

struct SyscallFailure {
  const char* call;
  int number;  // errno
  std::string path;
};

[[noreturn]] inline void fail(const char* call, std::string path = {}) {
  throw SyscallFailure{call, errno, std::move(path)};
}

// Passes a call's result on, or throws when it is -1.
template <typename T>
T check(T result, const char* call, const std::string& path = {}) {
  if (result == static_cast<T>(-1)) fail(call, path);
  return result;
}

}  // namespace keelson::kernel
