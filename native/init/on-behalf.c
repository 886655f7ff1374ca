// What the starter does for a container in a user namespace, which has lost the right to do it: the kernel asks for
// these capabilities in the first user namespace.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/path.h"
#include "init/syscall.h"

struct limit {
  uint64_t soft;
  uint64_t hard;
};

// So that the container's user may reopen /dev/stdout. Only pipes: a file or terminal of the starter stays its own.
void operation_giveStdio(const uint32_t *words) {
  for (int i = 0; i < 3; i++) {
    const int fd = slot_fd(words[i]);
    if (fd >= 0 && (mode_of(fd) & S_IFMT) == S_IFIFO) sys(__NR_fchown, fd, words[3], -1);
  }
}

// Only the ceiling, and only upwards: the child sets the limit itself and says so when that fails.
void operation_raiseLimit(const uint32_t *words) {
  struct limit limit;
  check(sys(__NR_prlimit64, 0, words[0], 0, &limit), "prlimit64", NULL);
  if (limit.hard >= plan_wide(words + 1)) return;
  limit.hard = plan_wide(words + 1);
  sys(__NR_prlimit64, 0, words[0], &limit, 0);
}

// Lowering needs CAP_SYS_RESOURCE, which a machine may withhold even from root: then the inherited value stays.
void operation_adjustChild(const uint32_t *words) {
  char path[64], value[16];
  struct text name = {path, sizeof path, 0}, text = {value, sizeof value, 0};
  text_add(&name, "/proc/");
  text_add_number(&name, self.child_pid);
  text_add(&name, "/oom_score_adj");
  text_add_number(&text, (int32_t)words[0]);
  const int fd = (int)check(sys(__NR_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC), "openat", path);
  const long written = sys(__NR_write, fd, value, text.length);
  sys(__NR_close, fd);
  if (written != -EACCES && written != -EPERM) check(written, "write", "oom_score_adj");
}
