#include "kernel/process.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kernel/error.hpp"

namespace keelson::kernel {

Fd pidfdOpen(int pid) {
  return Fd(static_cast<int>(check(::syscall(SYS_pidfd_open, pid, 0), "pidfd_open", std::to_string(pid))));
}

void pidfdSendSignal(int pidfd, int signal) {
  check(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0), "pidfd_send_signal");
}

Ended pidfdReap(int pidfd) {
  siginfo_t info{};
  constexpr int kPidfd = 3;  // P_PIDFD
  if (::waitid(static_cast<idtype_t>(kPidfd), static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG | __WALL) < 0) return {};
  if (info.si_pid == 0) return {};
  const bool exited = info.si_code == CLD_EXITED;
  return {true, exited ? info.si_status : 128 + info.si_status, exited ? 0 : info.si_status};
}

void setSubreaper(bool on) { check(::prctl(PR_SET_CHILD_SUBREAPER, on ? 1 : 0, 0, 0, 0), "prctl", "subreaper"); }

Limit originalFileLimit() {
  rlimit own{};
  check(::getrlimit(RLIMIT_NOFILE, &own), "getrlimit");
  rlimit parents{};
  const bool isTold = ::prlimit(::getppid(), RLIMIT_NOFILE, nullptr, &parents) == 0 && parents.rlim_max == own.rlim_max;
  return {isTold ? parents.rlim_cur : own.rlim_cur, own.rlim_max};
}

}  // namespace keelson::kernel
