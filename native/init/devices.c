// Device nodes and links of the container, and kernel settings of its namespaces.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/path.h"
#include "init/syscall.h"

static uint64_t device_number(uint32_t major, uint32_t minor) {
  return (minor & 0xff) | (uint64_t)(major & 0xfff) << 8 | (uint64_t)(minor & ~0xffu) << 12;
}

void operation_makeNode(const uint32_t *words) {
  const char *path = text_at(words[0]);
  const char *name;
  const long parent = check(open_parent(path, &name), "openat2", path);
  const long made = sys(__NR_mknodat, parent, name, words[1], device_number(words[2], words[3]));
  // What is there already must be that very device, not something the image put under its name.
  if (made == -EEXIST) {
    const long there = check(sys(__NR_openat, parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), "openat", path);
    struct statx status;
    check(sys(__NR_statx, there, "", AT_EMPTY_PATH, STATX_TYPE, &status), "statx", path);
    const bool same = (status.stx_mode & S_IFMT) == (words[1] & S_IFMT) && status.stx_rdev_major == words[2] &&
                      status.stx_rdev_minor == words[3];
    if (!same) fail("mknodat", -EEXIST, path);
    sys(__NR_close, there);
  } else {
    check(made, "mknodat", path);
  }
  if (words[4] != 0 || words[5] != 0)
    check(sys(__NR_fchownat, parent, name, words[4], words[5], AT_SYMLINK_NOFOLLOW), "fchownat", path);
  sys(__NR_close, parent);
}

void operation_makeLink(const uint32_t *words) {
  const char *path = text_at(words[0]);
  const char *name;
  const long parent = check(open_parent(path, &name), "openat2", path);
  const long made = sys(__NR_symlinkat, text_at(words[1]), parent, name);
  if (made != -EEXIST) check(made, "symlinkat", path);
  sys(__NR_close, parent);
}

// Through a procfs nobody could mount over, and no link may be followed: the write reaches that setting or nothing.
static long write_proc(const char *path, const char *value, uint64_t resolve) {
  const struct open_how how = {.flags = O_WRONLY | O_CLOEXEC,
                               .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | resolve};
  const long fd = sys(__NR_openat2, private_proc(), path, &how, sizeof how);
  if (fd < 0) return fd;
  const long written = sys(__NR_write, fd, value, length_of(value));
  sys(__NR_close, fd);
  return written;
}

void operation_writeSysctl(const uint32_t *words) {
  char path[256];
  struct text text = {path, sizeof path, 0};
  text_add(&text, "sys/");
  text_add(&text, text_at(words[0]));
  check(write_proc(path, text_at(words[1]), RESOLVE_NO_SYMLINKS), "sysctl", text_at(words[0]));
}

// Lowering needs CAP_SYS_RESOURCE, which a machine may withhold even from root: then the inherited value stays.
void operation_adjustOomScore(const uint32_t *words) {
  char value[16];
  struct text text = {value, sizeof value, 0};
  text_add_number(&text, (int32_t)words[0]);
  const long written = write_proc("self/oom_score_adj", value, 0);
  if (written != -EACCES && written != -EPERM) check(written, "write", "oom_score_adj");
}
