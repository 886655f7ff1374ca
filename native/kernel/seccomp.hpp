// What seccomp(2) can do here.
#pragma once

#include <cstdint>

namespace keelson::kernel {
// The SECCOMP_FILTER_FLAG_* bits that the kernel knows; none where it has no filters.
uint32_t seccompFlags();
}
