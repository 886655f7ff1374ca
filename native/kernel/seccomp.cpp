#include "kernel/seccomp.hpp"

#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace keelson::kernel {

#ifndef SECCOMP_FILTER_FLAG_NEW_LISTENER
#define SECCOMP_FILTER_FLAG_NEW_LISTENER (1UL << 3)
#endif

// Without a program nothing is loaded: the kernel looks at the flags first (EINVAL) and then for the program (EFAULT).
// Flags that only stand beside a listener are asked for together with it.
static uint32_t probeFlags() {
  uint32_t known = 0;
  for (uint32_t flag = 1; flag != 0 && flag <= 1u << 16; flag <<= 1) {
    const bool alone = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, nullptr) < 0 && errno == EFAULT;
    const bool beside = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag | SECCOMP_FILTER_FLAG_NEW_LISTENER,
                                  nullptr) < 0 && errno == EFAULT;
    if (alone || beside) known |= flag;
  }
  return known;
}

uint32_t seccompFlags() {
  static const uint32_t known = probeFlags();
  return known;
}

}  // namespace keelson::kernel
