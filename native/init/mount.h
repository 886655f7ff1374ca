// The new mount API in the shape this program uses it. Results are -errno on failure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

long move_mount_to(int mount, int target);
long set_attributes(int mount, bool recursive, uint64_t set, uint64_t clear, uint64_t propagation);
