// One owner of a directory's state at a time, by flock(2): the kernel lets go when the holder dies.
#pragma once

#include <string>

#include "kernel/fd.hpp"

namespace keelson::kernel {

// Opens (makes) the file and takes the exclusive lock without waiting; EWOULDBLOCK when another open file has it.
// The lock lasts until the descriptor is closed. Descriptors are close-on-exec, so children never carry it on.
Fd fileLock(const std::string& path);

}  // namespace keelson::kernel
