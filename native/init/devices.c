// Device nodes and links of the container, and kernel settings of its namespaces.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/path.h"
#include "init/proc.h"
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

// Where nothing is mounted on /dev its nodes are made in the image, which may have put a link there (CVE-2026-41579,
// CVE-2026-47766): refused, wherever it leads.
void operation_realDirectory(const uint32_t *words) {
  const char *path = text_at(words[0]);
  sys(__NR_close, check(open_target(path, TARGET_DIRECTORY, RESOLVE_NO_SYMLINKS), "openat2", path));
}

void operation_makeLink(const uint32_t *words) {
  const char *path = text_at(words[0]);
  const char *name;
  const long parent = check(open_parent(path, &name), "openat2", path);
  const long made = sys(__NR_symlinkat, text_at(words[1]), parent, name);
  if (made != -EEXIST) check(made, "symlinkat", path);
  sys(__NR_close, parent);
}

void operation_writeSysctl(const uint32_t *words) {
  char path[256];
  struct text text = {path, sizeof path, 0};
  text_add(&text, "sys/");
  text_add(&text, text_at(words[0]));
  if (text.length + 1 == sizeof path) fail("sysctl", -ENAMETOOLONG, text_at(words[0]));  // it is cut
  check(write_proc(path, text_at(words[1]), true), "sysctl", text_at(words[0]));
}

// Lowering needs CAP_SYS_RESOURCE, which a machine may withhold even from root: then the inherited value stays.
void operation_adjustOomScore(const uint32_t *words) {
  char value[16];
  struct text text = {value, sizeof value, 0};
  text_add_number(&text, (int32_t)words[0]);
  const long written = write_proc("self/oom_score_adj", value, false);
  if (written != -EACCES && written != -EPERM) check(written, "write", "oom_score_adj");
}
