// What became of the container, by the files of its state directory (src/oci/state/record.ts) and by its process.
#include <stddef.h>

#include "front/front.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/process.h"
#include "init/syscall.h"

static bool has(const char *name) { return sys(__NR_faccessat, front.state_fd, name, 0) == 0; }

static void read_process(uint64_t *ticks) {
  char line[64];
  uint64_t pid;
  const long fd = sys(__NR_openat, front.state_fd, "pid", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) hand_on();
  const long length = sys(__NR_read, fd, line, sizeof line - 1);
  sys(__NR_close, fd);
  if (length <= 0) hand_on();
  line[length] = '\0';
  const char *at = number_at(line, &pid);
  if (pid == 0 || pid > INT32_MAX || *at != ' ') hand_on();
  number_at(at + 1, ticks);
  front.pid = (int)pid;
}

// The pidfd first and the start time after: if that matches then, the descriptor cannot name somebody else.
static bool is_alive(void) {
  uint64_t ticks;
  read_process(&ticks);
  front.pidfd = (int)sys(__NR_pidfd_open, front.pid, 0);
  if (front.pidfd == -ESRCH) return false;
  if (front.pidfd < 0) hand_on();
  const struct process_stat stat = process_stat(front.pid);
  return stat.start_ticks == ticks && stat.state != 'Z';
}

void observe(void) {
  if (has("exit.json") || !is_alive())
    front.status = STATUS_STOPPED;
  else if (!has("created"))
    front.status = STATUS_CREATING;
  else if (has("paused"))
    front.status = STATUS_PAUSED;
  else
    front.status = has("started") ? STATUS_RUNNING : STATUS_CREATED;
}
