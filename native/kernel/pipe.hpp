// pipe(2), both ends close-on-exec.
#pragma once

#include <utility>

#include "kernel/fd.hpp"

namespace keelson::kernel {
std::pair<Fd, Fd> makePipe();
}
