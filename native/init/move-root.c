// The switch of root without pivot_root, for a host whose root file system cannot be pivoted away (a ramdisk).
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/syscall.h"

#define DETACH 2
#define MOVE 8192          // MS_MOVE
#define SLAVE_TREE 540672  // MS_SLAVE | MS_REC
#define LINE_MAX 49152  // two paths of 4095 bytes, each of them four where it is escaped, and a page of options

struct reader {
  int fd;
  size_t length, at;
  char bytes[16384];
};

// The next line, NULL at the end. One that is too long might be of the mount that we look for.
static char *next_line(struct reader *reader, char *line) {
  size_t used = 0;
  for (;;) {
    if (reader->at == reader->length) {
      const long count = sys(__NR_read, reader->fd, reader->bytes, sizeof reader->bytes);
      if (count <= 0) return NULL;
      reader->length = (size_t)count;
      reader->at = 0;
    }
    const char c = reader->bytes[reader->at++];
    if (c == '\n') break;
    if (used == LINE_MAX - 1) fail("mountinfo", -E2BIG, NULL);
    line[used++] = c;
  }
  line[used] = '\0';
  return line;
}

// Field `index` of a line, cut out in place, with the rest in *line.
static char *next_field(char **line) {
  char *field = *line;
  char *end = (char *)find_char(field, ' ');
  if (end != NULL) *end = '\0';
  *line = end == NULL ? field + length_of(field) : end + 1;
  return field;
}

// Blanks, tabs, newlines and backslashes are written in octal (proc_pid_mountinfo(5)).
static void unescape(char *path) {
  char *to = path;
  for (const char *from = path; *from != '\0'; to++) {
    if (*from != '\\') {
      *to = *from++;
      continue;
    }
    *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
    from += 4;
  }
  *to = '\0';
}

static bool is_below(const char *path, const char *place) {
  const size_t length = length_of(place);
  return memcmp(path, place, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

// The place of a whole procfs or sysfs outside of the container's root, NULL when the line is of another mount.
static const char *revealing_mount(char *line, const char *place) {
  for (int field = 0; field < 3; field++) next_field(&line);
  const char *root = next_field(&line);
  char *path = next_field(&line);
  while (*line != '\0' && !same_text(next_field(&line), "-")) continue;
  const char *type = next_field(&line);
  if (!same_text(root, "/") || (!same_text(type, "proc") && !same_text(type, "sysfs"))) return NULL;
  unescape(path);
  return is_below(path, place) ? NULL : path;
}

// Takes the mount away, or covers it where that is forbidden (a mount that a user namespace inherited is locked).
// True when it is covered, and so will be listed again.
static bool hide(const char *path) {
  const long slave = sys(__NR_mount, "", path, "", SLAVE_TREE, "");
  if (slave == -ENOENT) return true;  // something covers its parent already
  check(slave, "mount", path);
  const long detached = sys(__NR_umount2, path, DETACH);
  if (detached >= 0) return false;
  if (detached != -EINVAL && detached != -EPERM) fail("umount2", detached, path);
  check(sys(__NR_mount, "tmpfs", path, "tmpfs", 0, ""), "mount", path);
  return true;
}

// One mount a reading, since the list changes with it. `covered` is how many to pass over.
static bool hide_next(int self_directory, const char *place, unsigned *covered) {
  static struct reader reader;
  static char line[LINE_MAX];
  reader.length = reader.at = 0;
  reader.fd = (int)check(sys(__NR_openat, self_directory, "mountinfo", O_RDONLY | O_CLOEXEC), "openat", "mountinfo");
  unsigned passed = 0;
  while (next_line(&reader, line) != NULL) {
    const char *path = revealing_mount(line, place);
    if (path == NULL || passed++ < *covered) continue;
    sys(__NR_close, reader.fd);
    if (hide(path)) (*covered)++;
    return true;
  }
  sys(__NR_close, reader.fd);
  return false;
}

// As mountinfo writes it, whatever symbolic links led there.
static void where_is(int directory, char *place) {
  char link[32];
  struct text text = {link, sizeof link, 0};
  text_add(&text, "/proc/self/fd/");
  text_add_number(&text, directory);
  const long length = check(sys(__NR_readlinkat, AT_FDCWD, link, place, PATH_BYTES - 1), "readlinkat", link);
  place[length] = '\0';
}

// After chroot(2) the host's mounts are still in this mount namespace, below the new root. The kernel lets a user
// namespace mount procfs when a whole, unmasked one is there already (mount_too_revealing in fs/namespace.c): with
// the host's in reach, the container would get one without masks (opencontainers/runc#1962). So these go first. The list
// itself is read from one of them, by a descriptor that outlives its place.
void operation_moveRoot(const uint32_t *words) {
  (void)words;
  char place[PATH_BYTES];
  unsigned covered = 0;
  where_is(self.root, place);
  const long directory = sys(__NR_openat, AT_FDCWD, "/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
  check(directory, "openat", "/proc/self");
  while (hide_next((int)directory, place, &covered)) continue;
  sys(__NR_close, directory);
  check(sys(__NR_fchdir, self.root), "fchdir", "rootfs");
  check(sys(__NR_mount, ".", "/", 0, MOVE, 0), "mount", "/");
  check(sys(__NR_chroot, "."), "chroot", ".");
  check(sys(__NR_chdir, "/"), "chdir", "/");
}
