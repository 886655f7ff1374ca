// Frames of every socket that keelson-init speaks on: control (with its starter), sync (parent and child), start and
// monitor. All are Unix sockets of this machine, so numbers are in host order. src/oci/frames.ts is the other end.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_VERSION 1
#define FRAME_PAYLOAD_MAX 4096

struct frame {
  uint8_t version;
  uint8_t type;
  uint16_t reserved;
  uint32_t length;  // of what follows
};

enum frame_type {
  FRAME_CREATED = 1,   // pid, 0, start time in ticks (64 bit)
  FRAME_FAILURE = 2,   // struct failure
  FRAME_COMMIT = 3,    // from the starter: the record is on disk
  FRAME_EXITED = 4,    // exit code, signal, OOM kills (32 bit each), 0, time in ns (64 bit)
  FRAME_STARTED = 5,   // pid
  FRAME_TERMINAL = 6,  // with the pty master attached
  FRAME_BARRIER = 7,   // barrier number
  FRAME_START = 8,     // to the start socket: run the program
  FRAME_PLAN = 9,      // to the zygote: control socket, plan and first slots of a new one are attached
  FRAME_HELLO = 16,    // from a monitor: pid of the container's first process
  FRAME_ATTACH = 17,
  FRAME_STDIN = 18,
  FRAME_STDIN_END = 19,
  FRAME_STDOUT = 20,
  FRAME_STDERR = 21,
  FRAME_RESIZE = 22,  // columns, rows
  FRAME_REOPEN = 23,
  FRAME_PING = 24,
  FRAME_DONE = 25,  // answer: errno, 0 when well
  FRAME_CLONED = 32,  // pid, with its pidfd attached
  FRAME_TREE = 33,    // with a detached mount attached
  FRAME_ASK = 44,           // to the starter: pid of the child, which waits for what is to be done
  FRAME_ANSWER = 45,        // from the starter: it is done
  FRAME_HOOK_WARNING = 36,  // struct failure of a hook after which the list goes on
  FRAME_PROCESS = 56,  // to the child: its pid as its parent sees it
};

// Sends one frame, with a descriptor when fd >= 0. Never raises SIGPIPE. 0 or -errno.
long send_frame(int socket, uint8_t type, const void *payload, uint32_t length, int fd);

// Receives one whole frame; *fd is -1 when none came. Bytes of the payload, or -errno; -EPIPE at the end.
long receive_frame(int socket, struct frame *frame, void *payload, uint32_t size, int *fd);

// Receives a frame without payload and its descriptors, at most `limit`. Their number, or -errno; -EPIPE at the end.
long receive_descriptors(int socket, uint8_t wanted, int *fds, uint32_t limit);

struct io_vector {
  void *base;
  size_t length;
};

// Plain bytes with a descriptor, for sockets that are not ours (console sockets, listeners). Bytes sent, or -errno.
long send_vectors(int socket, const struct io_vector *vectors, size_t count, int fd);
long send_bytes_with_fd(int socket, const char *bytes, size_t length, int fd);

#ifdef __cplusplus
}
#endif
