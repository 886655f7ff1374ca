#pragma once

#include <stdbool.h>

// Gives a detached mount the map of a user namespace. -EINVAL where its file system cannot, -errno.
long map_mount(int tree, bool recursive, int user_namespace);
