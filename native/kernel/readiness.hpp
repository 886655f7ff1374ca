// Tells when a descriptor (a pidfd above all) becomes readable, for any number of them with one thread.
#pragma once

#include <functional>

#include "kernel/fd.hpp"

namespace keelson::kernel {

// Calls back once, on the waiting thread. `key` names the watch for `forget`; the descriptor stays the caller's and
// must stay open until then.
void watchReadable(int fd, std::function<void()> callback);

// The same for POLLPRI: a file of cgroupfs or procfs changed since it was last read.
void watchChange(int fd, std::function<void()> callback);

// eventfd(2): readable as often as somebody (the kernel, for memory.oom_control of cgroup v1) adds to it.
Fd makeEventFd();

// No callback comes after this returns true; false when it already came.
bool forgetReadable(int fd);

}  // namespace keelson::kernel
