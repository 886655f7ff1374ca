// Taking a mount out of a running container.
#include "init/init.h"
#include "init/linux.h"
#include "init/path.h"
#include "init/syscall.h"

#define DETACH 2
#define UMOUNT_NOFOLLOW 8

// umount2 takes paths only. The directory is found from the root's descriptor and made the working directory; what is
// left is one name in it, which is not followed: whatever the container makes of it meanwhile, what is taken away is a
// mount of its own namespace.
void operation_removeMount(const uint32_t *words) {
  const char *path = text_at(words[0]);
  const char *name;
  const int parent = (int)check(open_parent(path, &name), "openat2", path);
  check(sys(__NR_fchdir, parent), "fchdir", path);
  check(sys(__NR_umount2, name, DETACH | UMOUNT_NOFOLLOW), "umount2", path);
  sys(__NR_close, parent);
}
