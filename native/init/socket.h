// Unix sockets without libc.
#pragma once

#include <stdint.h>

#define UNIX_FAMILY 1
#define SOCKET_STREAM 1
#define SOCKET_CLOEXEC 02000000
#define SOCKET_NONBLOCK 04000

struct unix_address {
  uint16_t family;
  char path[108];
};
