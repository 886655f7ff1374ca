// What a container hands to a manager of its own: a pidfd of its first process, and the news that it is ready
// (sd_notify(3), by a socket of ours that the container sees in place of the manager's).
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/message.h"
#include "init/socket.h"
#include "init/syscall.h"

#define DATAGRAM_MAX 4096
#define BARRIER_SECONDS 30
#define MODE_ANYBODY 0777

void operation_sendPidfd(const uint32_t *words) {
  const char *message = text_at(words[1]);
  check(send_bytes_with_fd(slot_fd(words[0]), message, length_of(message), self.child_pidfd), "sendmsg", "pidfd");
  operation_closeSlot(words);
}

// Anybody may write to it: whoever the container's user is.
void operation_listenDatagram(const uint32_t *words) {
  const int directory = slot_fd(words[0]);
  const char *name = text_at(words[1]);
  sys(__NR_unlinkat, directory, name, 0);  // of a start that was killed
  self.slots[words[2]] = bind_unix(directory, name, SOCKET_DATAGRAM);
  check(sys(__NR_fchmodat, directory, name, MODE_ANYBODY), "fchmodat", name);
}

// The line that begins with READY=, NULL when there is none.
static const char *ready_line(const char *message) {
  for (const char *line = message; line != NULL; line = find_char(line, '\n')) {
    if (*line == '\n') line++;
    if (memcmp(line, "READY=", 6) == 0) return line;
  }
  return NULL;
}

// Both lines in one message, so that the manager never takes the runtime for the ready service.
static long tell_ready(int manager, const char *line, int64_t pid) {
  char message[128];
  const char *end = find_char(line, '\n');
  struct text text = {message, sizeof message, 0};
  text_add_count(&text, line, end == NULL ? length_of(line) : (size_t)(end - line));
  text_add(&text, "\nMAINPID=");
  text_add_number(&text, pid);
  text_add(&text, "\n");
  return sys(__NR_write, manager, message, text.length);
}

// A pipe whose other end the manager closes when it has read everything before (sd_notify_barrier(3)).
static void await_manager(int manager) {
  int ends[2];
  if (sys(__NR_pipe2, ends, O_CLOEXEC) < 0) return;
  const long sent = send_bytes_with_fd(manager, "BARRIER=1", 9, ends[1]);
  sys(__NR_close, ends[1]);
  const struct __kernel_timespec bound = {.tv_sec = BARRIER_SECONDS};
  struct pollfd closed = {ends[0], POLLIN, 0};
  if (sent > 0) sys(__NR_ppoll, &closed, 1, &bound, 0, 0);
  sys(__NR_close, ends[0]);
}

// Until the container says that it is ready, has ended, or nobody waits any more.
void operation_forwardReady(const uint32_t *words) {
  static char message[DATAGRAM_MAX + 8];
  const int socket = slot_fd(words[0]);
  const char *path = text_at(words[1]);
  const int manager = (int)check(connect_unix(path, SOCKET_DATAGRAM), "connect", path);
  for (;;) {
    struct pollfd polled[3] = {{socket, POLLIN, 0}, {self.child_pidfd, POLLIN, 0}, {self.control, POLLRDHUP, 0}};
    if (sys(__NR_ppoll, polled, 3, 0, 0, 0) <= 0) continue;
    if (polled[0].revents != 0) {
      const long length = sys(__NR_read, socket, message, DATAGRAM_MAX);
      if (length < 0) continue;
      memset(message + length, 0, 8);
      const char *line = ready_line(message);
      if (line == NULL) continue;
      if (tell_ready(manager, line, words[2] == 0 ? self.child_pid : (int64_t)words[2]) >= 0) await_manager(manager);
      return;
    }
    if (polled[1].revents != 0 || polled[2].revents != 0) return;
  }
}

void operation_becomeSubreaper(const uint32_t *words) {
  (void)words;
  check(sys(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl", "PR_SET_CHILD_SUBREAPER");
}
