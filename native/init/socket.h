// Unix sockets without libc.
#pragma once

#include <stdint.h>

#define UNIX_FAMILY 1
#define SOCKET_STREAM 1
#define SOCKET_DATAGRAM 2
#define SOCKET_CLOEXEC 02000000
#define SOCKET_NONBLOCK 04000

struct unix_address {
  uint16_t family;
  char path[108];
};

// A path, or an abstract name after `@`. Descriptors are close-on-exec; -errno on failure.
long connect_unix(const char *path, int type);

// Below a directory, whatever its path; fails the plan when it cannot.
int bind_unix(int directory, const char *name, int type);
