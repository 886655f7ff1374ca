// The new mount API in the shape this program uses it. Results are -errno on failure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

long move_mount_to(int mount, int target);
long set_attributes(int mount, bool recursive, uint64_t set, uint64_t clear, uint64_t propagation);

// Options of a file system, on a context of fsopen or fspick.
long configure_each(int context, const char *options, uint32_t count);

// Copies what `from` holds, with modes, owners, times and attributes, into the file system `to`, by descriptors alone.
void copy_up(int from, int to, const char *path);
void set_mode(int directory, uint32_t mode);

// Makes the link again when `source` is one; false when it is something else.
bool copy_symlink(const char *source, const char *path);
