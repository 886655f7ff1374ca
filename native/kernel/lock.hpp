// Advisory locks on whole files.
#pragma once

#include <string>

#include "kernel/fd.hpp"

namespace keelson::kernel {

// Opens (and makes) the file, then flock(2) LOCK_EX; blocks until it is free unless `tryOnly` is set: then an empty Fd
// says that somebody else holds it. The lock ends when the last copy of the descriptor is closed.
Fd lockFile(const std::string& path, bool tryOnly);

}  // namespace keelson::kernel
