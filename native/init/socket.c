#include "init/socket.h"

#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/message.h"
#include "init/process.h"
#include "init/syscall.h"

static int unix_socket(int type) {
  return (int)check(sys(__NR_socket, UNIX_FAMILY, type | SOCKET_CLOEXEC, 0), "socket", NULL);
}

// Bound by its name from inside the directory: an address holds 107 bytes and state roots may be longer.
int bind_unix(int directory, const char *name, int type) {
  struct unix_address address = {.family = UNIX_FAMILY};
  struct text text = {address.path, sizeof address.path, 0};
  text_add(&text, name);
  const int fd = unix_socket(type);
  check(sys(__NR_fchdir, directory), "fchdir", name);
  check(sys(__NR_bind, fd, &address, sizeof address), "bind", name);
  check(sys(__NR_chdir, "/"), "chdir", "/");
  return fd;
}

long connect_unix(const char *path, int type) {
  struct unix_address address = {.family = UNIX_FAMILY};
  struct text text = {address.path, sizeof address.path, 0};
  if (length_of(path) >= sizeof address.path) return -ENAMETOOLONG;
  text_add(&text, path);
  const bool abstract = *path == '@';
  if (abstract) address.path[0] = '\0';
  const int fd = unix_socket(type);
  const size_t size = sizeof address - sizeof address.path + text.length + (abstract ? 0 : 1);
  const long connected = sys(__NR_connect, fd, &address, size);
  if (connected >= 0) return fd;
  sys(__NR_close, fd);
  return connected;
}

void operation_listen(const uint32_t *words) {
  const char *name = text_at(words[1]);
  const int fd = bind_unix(slot_fd(words[0]), name, SOCKET_STREAM);
  check(sys(__NR_listen, fd, 16), "listen", name);
  self.slots[words[2]] = fd;
}

void operation_receiveTerminal(const uint32_t *words) {
  char payload[FRAME_PAYLOAD_MAX];
  int fd;
  check(receive_from_peer(FRAME_TERMINAL, payload, sizeof payload, &fd), "terminal", NULL);
  if (fd < 0) fail("terminal", -EPROTO, NULL);
  self.slots[words[0]] = fd;
}

// Before any namespace is entered: the path is the caller's.
void operation_connect(const uint32_t *words) {
  const char *path = text_at(words[0]);
  self.slots[words[1]] = (int)check(connect_unix(path, SOCKET_STREAM), "connect", path);
}

// To a console socket by runc's convention, by SCM_RIGHTS with its name as the message's bytes; else to the starter.
void operation_sendTerminal(const uint32_t *words) {
  const int master = slot_fd(words[0]);
  if (words[1] == PLAN_NO_SLOT) {
    check(send_frame(self.control, FRAME_TERMINAL, NULL, 0, master), "sendmsg", "control");
  } else {
    check(send_bytes_with_fd(slot_fd(words[1]), "/dev/pts/ptmx", 13, master), "sendmsg", "console socket");
    operation_closeSlot(words + 1);
  }
  operation_closeSlot(words);
}
