// Settings and labels are written through a procfs of our own (CVE-2019-16884, CVE-2025-52881). What the image, a volume
// or another container puts over a path of the visible /proc would otherwise get the write, and the program would run
// without its label, or with a setting of the host changed.
#include "init/proc.h"

#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/path.h"
#include "init/syscall.h"

bool is_proc(int fd) {
  struct statfs_words filesystem;
  return sys(__NR_fstatfs, fd, &filesystem) >= 0 && filesystem.type == PROC_MAGIC;
}

// A clone without AT_RECURSIVE has none of the mounts that lie on the original, now or later.
void keep_proc(int mount) {
  if (self.proc >= 0) return;
  const uint32_t flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
  self.proc = (int)check(sys(__NR_open_tree, mount, "", flags), "open_tree", "proc");
}

static long make_proc(void) {
  const long context = sys(__NR_fsopen, "proc", FSOPEN_CLOEXEC);
  if (context < 0) return context;
  long result = sys(__NR_fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0);
  if (result >= 0) result = sys(__NR_fsmount, context, FSMOUNT_CLOEXEC, 0);
  sys(__NR_close, context);
  return result;
}

// A user namespace whose own /proc is partly covered may not mount another: the one that is there is cloned without
// what covers it, once it is known to be one.
static long clone_visible_proc(void) {
  const long visible = open_in_root("/proc", O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
  if (visible < 0) return visible;
  const uint32_t flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
  const long clone = is_proc((int)visible) ? sys(__NR_open_tree, visible, "", flags) : -EPERM;
  sys(__NR_close, visible);
  return clone;
}

static int private_proc(void) {
  if (self.proc >= 0) return self.proc;
  long made = make_proc();
  if (made == -EPERM) made = clone_visible_proc();
  self.proc = (int)check(made, "fsmount", "proc");
  return self.proc;
}

long write_proc(const char *path, const char *value, bool no_links) {
  const struct open_how how = {.flags = O_WRONLY | O_CLOEXEC,
                               .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS |
                                          (no_links ? RESOLVE_NO_SYMLINKS : 0)};
  const long fd = sys(__NR_openat2, private_proc(), path, &how, sizeof how);
  if (fd < 0) return fd;
  const long written = is_proc((int)fd) ? sys(__NR_write, fd, value, length_of(value)) : -EPERM;
  sys(__NR_close, fd);
  return written;
}
