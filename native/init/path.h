// Paths below the container's root. They are never followed as strings: every lookup is openat2 from the root's
// descriptor with RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS, so neither a symlink nor `..` nor
// /proc/self/fd can lead out. Descriptors are O_CLOEXEC; results are -errno on failure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

long open_in_root(const char *path, uint64_t flags, uint64_t resolve);

enum target { TARGET_DIRECTORY, TARGET_FILE };

// Opens (O_PATH) a mount target, making it and its parents where they are missing.
long open_target(const char *path, enum target kind, uint64_t resolve);
long open_target_as(const char *path, enum target kind, uint64_t flags, uint64_t resolve);

// Opens the parent directory of a path, making it where missing; *name is the last component inside `path`.
long open_parent(const char *path, const char **name);

// mode with the file type bits of an open descriptor, 0 when it cannot be told.
uint32_t mode_of(int fd);
bool is_device(int fd, uint32_t major, uint32_t minor);
