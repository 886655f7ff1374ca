// A new network namespace has its loopback down. Callers expect what runc and crun do: it is up, and with it the
// kernel gives it 127.0.0.1 and ::1.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/socket.h"
#include "init/syscall.h"

#define GET_FLAGS 0x8913  // SIOCGIFFLAGS
#define SET_FLAGS 0x8914  // SIOCSIFFLAGS
#define DEVICE_UP 1       // IFF_UP

struct flags_request {  // struct ifreq
  char name[16];
  short flags;
  char rest[22];
};

// Device requests are answered by sockets of any family; those of AF_UNIX need nothing else of the kernel.
void operation_raiseLoopback(const uint32_t *words) {
  (void)words;
  struct flags_request request = {.name = "lo"};
  const int fd = (int)check(sys(__NR_socket, UNIX_FAMILY, SOCKET_STREAM | SOCKET_CLOEXEC, 0), "socket", NULL);
  check(sys(__NR_ioctl, fd, GET_FLAGS, &request), "ioctl", "lo");
  request.flags |= DEVICE_UP;
  check(sys(__NR_ioctl, fd, SET_FLAGS, &request), "ioctl", "lo");
  sys(__NR_close, fd);
}
