// Processes by pidfd: never by a bare pid, which may already name somebody else.
#pragma once

#include "kernel/fd.hpp"

namespace keelson::kernel {

// pidfd_open(2). The descriptor is close-on-exec.
Fd pidfdOpen(int pid);

// pidfd_send_signal(2).
void pidfdSendSignal(int pidfd, int signal);

}  // namespace keelson::kernel
