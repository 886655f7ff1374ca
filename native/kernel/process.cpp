#include "kernel/process.hpp"

#include <sys/syscall.h>

#include "kernel/error.hpp"

namespace keelson::kernel {

Fd pidfdOpen(int pid) {
  return Fd(static_cast<int>(check(::syscall(SYS_pidfd_open, pid, 0), "pidfd_open", std::to_string(pid))));
}

void pidfdSendSignal(int pidfd, int signal) {
  check(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0), "pidfd_send_signal");
}

}  // namespace keelson::kernel
