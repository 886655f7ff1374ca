// A procfs that nobody can mount anything over, and the one way to write to it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Keeps a detached copy of the container's own /proc, made at the moment it is mounted.
void keep_proc(int mount);

// Writes `value` to a file below it. With `no_links` not even the kernel's own links (self, thread-self) are followed.
long write_proc(const char *path, const char *value, bool no_links);

bool is_proc(int fd);
