// Those who are connected to the monitor: waiting for the exit, attached to the streams, asking for things.
#include "init/init.h"
#include "init/linux.h"
#include "init/log.h"
#include "init/memory.h"
#include "init/monitor.h"
#include "init/socket.h"
#include "init/syscall.h"

#include <asm/ioctls.h>

#define DONT_WAIT 0x40

struct client {
  int fd;  // 0: unused
  bool attached;
  bool wrote_input;
  uint32_t received;  // bytes of the frame that is being read
  uint32_t passed;    // bytes of a stdin frame already given to the container
  struct frame frame;
  char payload[FRAME_PAYLOAD_MAX];
};

static struct client clients[CLIENTS_MAX];

static bool is_whole(const struct client *client) {
  return client->received >= sizeof client->frame && client->received == sizeof client->frame + client->frame.length;
}

static int input_fd(void) { return monitor.terminal >= 0 ? monitor.terminal : monitor.input; }

// What others still had to give to it has nowhere to go.
static void close_input(void) {
  if (monitor.input >= 0) sys(__NR_close, monitor.input);
  monitor.input = -1;
  for (struct client *client = clients; client < clients + CLIENTS_MAX; client++)
    if (is_whole(client)) client->received = client->passed = 0;
}

static void drop(struct client *client) {
  sys(__NR_close, client->fd);
  client->fd = 0;
  if (client->wrote_input && monitor.input_once) close_input();
}

// One that does not read fast enough loses its connection, never the container its pace.
static void answer(struct client *client, uint8_t type, const void *payload, uint32_t length) {
  if (client->fd != 0 && send_frame(client->fd, type, payload, length, -1) < 0) drop(client);
}

bool clients_full(void) {
  for (const struct client *client = clients; client < clients + CLIENTS_MAX; client++)
    if (client->fd == 0) return false;
  return true;
}

void clients_accept(void) {
  const long fd = sys(__NR_accept4, monitor.listener, 0, 0, SOCKET_CLOEXEC | SOCKET_NONBLOCK);
  if (fd < 0) return;
  for (struct client *client = clients; client < clients + CLIENTS_MAX; client++) {
    if (client->fd != 0) continue;
    client->fd = (int)fd;
    client->attached = client->wrote_input = false;
    client->received = client->passed = 0;
    const uint32_t pid = (uint32_t)self.child_pid;
    answer(client, FRAME_HELLO, &pid, sizeof pid);
    return;
  }
  sys(__NR_close, fd);
}

void clients_output(uint8_t type, const char *bytes, size_t count) {
  for (struct client *client = clients; client < clients + CLIENTS_MAX; client++)
    if (client->fd != 0 && client->attached) answer(client, type, bytes, (uint32_t)count);
}

static uint32_t resize(const struct client *client) {
  uint32_t size[2] = {0, 0};
  if (monitor.terminal < 0 || client->frame.length < sizeof size) return ENOTTY;
  memcpy(size, client->payload, sizeof size);
  const uint16_t window[4] = {(uint16_t)size[1], (uint16_t)size[0], 0, 0};
  return (uint32_t)-sys(__NR_ioctl, monitor.terminal, TIOCSWINSZ, window);
}

// False while the container's stdin is full: the frame stays and is tried again when there is room.
static bool pass_input(struct client *client) {
  client->wrote_input = true;
  const int input = input_fd();
  while (input >= 0 && client->passed < client->frame.length) {
    const long count = sys(__NR_write, input, client->payload + client->passed, client->frame.length - client->passed);
    if (count == -EAGAIN) return false;
    if (count <= 0) break;
    client->passed += (uint32_t)count;
  }
  return true;
}

static bool handle(struct client *client) {
  uint32_t result = 0;
  switch (client->frame.type) {
    case FRAME_ATTACH:
      client->attached = true;
      break;
    case FRAME_STDIN:
      return pass_input(client);
    case FRAME_STDIN_END:
      if (monitor.terminal < 0) close_input();
      return true;
    case FRAME_RESIZE:
      result = resize(client);
      break;
    case FRAME_REOPEN:
      result = (uint32_t)-log_reopen();
      break;
    case FRAME_PING:
      break;
    default:
      result = ENOSYS;
  }
  answer(client, FRAME_DONE, &result, sizeof result);
  return true;
}

static void finish_frame(struct client *client) {
  if (!handle(client)) return;
  client->received = client->passed = 0;
}

static void receive(struct client *client) {
  const uint32_t header = sizeof client->frame;
  char *target = client->received < header ? (char *)&client->frame + client->received
                                           : client->payload + (client->received - header);
  const uint32_t wanted =
      client->received < header ? header - client->received : header + client->frame.length - client->received;
  const long count = sys(__NR_recvfrom, client->fd, target, wanted, DONT_WAIT, 0, 0);
  if (count == -EAGAIN || count == -EINTR) return;
  if (count <= 0) return drop(client);
  client->received += (uint32_t)count;
  if (client->received == header &&
      (client->frame.version != FRAME_VERSION || client->frame.length > FRAME_PAYLOAD_MAX))
    return drop(client);
  if (is_whole(client)) finish_frame(client);
}

// A client whose stdin frame did not fit waits for the container's stdin instead of its own socket: what it wrote
// reaches the container even when it has left meanwhile, unless its place is needed.
unsigned clients_poll(struct pollfd *polled) {
  const bool full = clients_full();
  struct pollfd *input = &polled[CLIENTS_MAX];
  *input = (struct pollfd){-1, POLLOUT, 0};
  for (unsigned i = 0; i < CLIENTS_MAX; i++) {
    const struct client *client = &clients[i];
    const bool waits = client->fd != 0 && is_whole(client);
    if (waits) input->fd = input_fd();
    polled[i] = (struct pollfd){client->fd == 0 || (waits && !full) ? -1 : client->fd, waits ? 0 : POLLIN, 0};
  }
  return CLIENTS_POLLED;
}

void clients_serve(const struct pollfd *polled) {
  for (unsigned i = 0; i < CLIENTS_MAX; i++) {
    struct client *client = &clients[i];
    if (client->fd == 0) continue;
    if (!is_whole(client) && polled[i].revents != 0)
      receive(client);
    else if (is_whole(client) && polled[CLIENTS_MAX].revents != 0)
      finish_frame(client);
    else if (is_whole(client) && polled[i].revents != 0)
      drop(client);
  }
}

void clients_end(const struct exit_facts *facts) {
  for (struct client *client = clients; client < clients + CLIENTS_MAX; client++)
    answer(client, FRAME_EXITED, facts, sizeof *facts);
}
