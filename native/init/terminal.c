// The container's terminal: made in its own devpts, the master handed out, the slave its standard streams.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/message.h"
#include "init/mount.h"
#include "init/path.h"
#include "init/syscall.h"

#include <asm/ioctls.h>

#define BIND_CONSOLE 1
#define NO_CONTROLLING 0400  // O_NOCTTY

struct window_size {
  uint16_t rows, columns, width, height;
};

static void bind_console(int slave) {
  const int target = (int)check(open_target("/dev/console", TARGET_FILE, RESOLVE_NO_SYMLINKS), "openat2", "/dev/console");
  const uint32_t flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
  const int mount = (int)check(sys(__NR_open_tree, slave, "", flags), "open_tree", "/dev/console");
  check(move_mount_to(mount, target), "move_mount", "/dev/console");
  sys(__NR_close, mount);
  sys(__NR_close, target);
}

// TIOCGPTPEER opens the slave of this very master, whatever /dev/pts/N names by now (CVE-2025-52565).
void operation_openTerminal(const uint32_t *words) {
  struct statfs_words filesystem;
  const int master = (int)check(open_in_root("/dev/pts/ptmx", O_RDWR | NO_CONTROLLING, RESOLVE_NO_SYMLINKS), "openat2",
                                "/dev/pts/ptmx");
  check(sys(__NR_fstatfs, master, &filesystem), "fstatfs", "/dev/pts/ptmx");
  if (filesystem.type != DEVPTS_MAGIC) fail("/dev/pts is not a devpts", -EPERM, "/dev/pts/ptmx");
  const int unlocked = 0;
  check(sys(__NR_ioctl, master, TIOCSPTLCK, &unlocked), "ioctl", "TIOCSPTLCK");
  const int slave = (int)check(sys(__NR_ioctl, master, TIOCGPTPEER, O_RDWR | NO_CONTROLLING | O_CLOEXEC), "ioctl",
                               "TIOCGPTPEER");
  const struct window_size size = {.columns = (uint16_t)words[0], .rows = (uint16_t)words[1]};
  if (words[0] != 0 && words[1] != 0) check(sys(__NR_ioctl, master, TIOCSWINSZ, &size), "ioctl", "TIOCSWINSZ");
  if ((words[2] & BIND_CONSOLE) != 0) bind_console(slave);
  check(sys(__NR_ioctl, slave, TIOCSCTTY, 0), "ioctl", "TIOCSCTTY");
  for (int fd = 0; fd < 3; fd++) check(sys(__NR_dup3, slave, fd, 0), "dup3", NULL);
  check(send_frame(self.sync, FRAME_TERMINAL, NULL, 0, master), "sendmsg", "terminal");
  sys(__NR_close, master);
  sys(__NR_close, slave);
}
