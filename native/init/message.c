#include "init/message.h"

#include <linux/socket.h>

#include "init/linux.h"
#include "init/memory.h"
#include "init/syscall.h"

#define SOCKET_LEVEL 1
#define RIGHTS 1
#define NO_SIGNAL 0x4000
#define CLOSE_ON_EXEC 0x40000000
#define WAIT_ALL 0x100

#define DESCRIPTORS_MAX 253  // the kernel's SCM_MAX_FD

struct message {
  void *name;
  uint32_t name_length;
  struct io_vector *vectors;
  size_t vector_count;
  void *control;
  size_t control_length;
  uint32_t flags;
};

struct rights {
  size_t length;
  int level;
  int type;
  int fd;
  int padding;
};

long send_frame(int socket, uint8_t type, const void *payload, uint32_t length, int fd) {
  struct frame frame = {FRAME_VERSION, type, 0, length};
  struct io_vector vectors[2] = {{&frame, sizeof frame}, {(void *)payload, length}};
  struct rights rights = {sizeof rights - sizeof rights.padding, SOCKET_LEVEL, RIGHTS, fd, 0};
  struct message message = {.vectors = vectors, .vector_count = length > 0 ? 2 : 1};
  if (fd >= 0) {
    message.control = &rights;
    message.control_length = sizeof rights;
  }
  const long sent = sys(__NR_sendmsg, socket, &message, NO_SIGNAL);
  if (sent < 0) return sent;
  return (size_t)sent == sizeof frame + length ? 0 : -EAGAIN;
}

static long receive_exact(int socket, void *buffer, size_t size, int *fd) {
  size_t received = 0;
  while (received < size) {
    struct rights rights = {.fd = -1};
    struct io_vector vector = {(char *)buffer + received, size - received};
    // No room for a second one: the kernel would put it where the padding is, and it would stay open for ever.
    struct message message = {.vectors = &vector,
                              .vector_count = 1,
                              .control = &rights,
                              .control_length = sizeof rights - sizeof rights.padding};
    const long count = sys(__NR_recvmsg, socket, &message, CLOSE_ON_EXEC | WAIT_ALL);
    if (count == -EINTR) continue;
    if (count <= 0) return count == 0 ? -EPIPE : count;
    if (message.control_length > 0 && rights.type == RIGHTS) {
      if (*fd >= 0) sys(__NR_close, *fd);
      *fd = rights.fd;
    }
    received += (size_t)count;
  }
  return 0;
}

long receive_frame(int socket, struct frame *frame, void *payload, uint32_t size, int *fd) {
  *fd = -1;
  long result = receive_exact(socket, frame, sizeof *frame, fd);
  if (result < 0) return result;
  if (frame->version != FRAME_VERSION || frame->length > size) return -EPROTO;
  result = receive_exact(socket, payload, frame->length, fd);
  return result < 0 ? result : (long)frame->length;
}

long receive_descriptors(int socket, uint8_t wanted, int *fds, uint32_t limit) {
  struct frame frame;
  struct {
    size_t length;
    int level, type;
    int fds[DESCRIPTORS_MAX];
  } control;
  struct io_vector vector = {&frame, sizeof frame};
  struct message message = {.vectors = &vector, .vector_count = 1, .control = &control, .control_length = sizeof control};
  long count;
  do count = sys(__NR_recvmsg, socket, &message, CLOSE_ON_EXEC | WAIT_ALL);
  while (count == -EINTR);
  if (count <= 0) return count == 0 ? -EPIPE : count;
  const bool has_rights = message.control_length > 0 && control.type == RIGHTS;
  const size_t received = has_rights ? (control.length - offsetof(struct rights, fd)) / sizeof(int) : 0;
  const bool is_wanted = (size_t)count == sizeof frame && frame.version == FRAME_VERSION && frame.type == wanted;
  if (!is_wanted || received > limit) {
    for (size_t i = 0; i < received; i++) sys(__NR_close, control.fds[i]);
    return -EPROTO;
  }
  memcpy(fds, control.fds, received * sizeof(int));
  return (long)received;
}

long send_vectors(int socket, const struct io_vector *vectors, size_t count, int fd) {
  struct rights rights = {sizeof rights - sizeof rights.padding, SOCKET_LEVEL, RIGHTS, fd, 0};
  struct message message = {.vectors = (struct io_vector *)vectors,
                            .vector_count = count,
                            .control = &rights,
                            .control_length = sizeof rights};
  return sys(__NR_sendmsg, socket, &message, NO_SIGNAL);
}

long send_bytes_with_fd(int socket, const char *bytes, size_t length, int fd) {
  const struct io_vector vector = {(void *)bytes, length};
  return send_vectors(socket, &vector, 1, fd);
}
