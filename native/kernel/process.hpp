// Processes by pidfd: never by a bare pid, which may already name somebody else.
#pragma once

#include <cstdint>

#include "kernel/fd.hpp"

namespace keelson::kernel {

// pidfd_open(2). The descriptor is close-on-exec.
Fd pidfdOpen(int pid);

// pidfd_send_signal(2).
void pidfdSendSignal(int pidfd, int signal);

struct Ended {
  bool isKnown = false;  // false: not a child of ours, so the kernel tells nobody but its parent
  int code = 0;
  int signal = 0;
};

// Reaps a process that has ended, when it is a child of ours (waitid(2) P_PIDFD). Does not block.
Ended pidfdReap(int pidfd);

// prctl(2) PR_SET_CHILD_SUBREAPER: orphans below this process become its children.
void setSubreaper(bool on);

struct Limit {
  uint64_t soft;
  uint64_t hard;
};

// The RLIMIT_NOFILE that this process was started with, as far as it can be told: Node raises the soft limit to the
// hard one before any code of ours runs, so it is the parent's where the hard limits agree.
Limit originalFileLimit();

}  // namespace keelson::kernel
