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

// Whoever starts a container marks it afterwards. Without the mark it still waits, or the one who started it was
// killed in between: then something else than keelson-init runs there, and Node looks closer.
static bool still_waits(void) {
  static const char name[] = "/memfd:keelson-init";
  char path[32];
  char link[sizeof name];
  struct text text = {path, sizeof path, 0};
  text_add(&text, "/proc/");
  text_add_number(&text, front.pid);
  text_add(&text, "/exe");
  const long length = sys(__NR_readlinkat, AT_FDCWD, path, link, sizeof link - 1);
  if (length < 0) return true;
  link[length] = '\0';
  return same_text(link, name);
}

void observe(void) {
  if (has("exit.json") || !is_alive())
    front.status = STATUS_STOPPED;
  else if (!has("created"))
    front.status = STATUS_CREATING;
  else if (has("paused"))
    front.status = STATUS_PAUSED;
  else if (has("started"))
    front.status = STATUS_RUNNING;
  else if (still_waits())
    front.status = STATUS_CREATED;
  else
    hand_on();
}
