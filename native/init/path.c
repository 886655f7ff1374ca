#include "init/path.h"

#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/syscall.h"

long open_in_root(const char *path, uint64_t flags, uint64_t resolve) {
  const struct open_how how = {.flags = flags | O_CLOEXEC,
                               .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve};
  // EAGAIN: something was renamed while the kernel walked a `..`; it could not prove the path safe and asks again.
  for (int attempt = 0;; attempt++) {
    const long fd = sys(__NR_openat2, self.root, path, &how, sizeof how);
    if (fd != -EAGAIN || attempt == 128) return fd;
  }
}

// Cuts the last component off; an empty name ("/a/", "/") is the caller's mistake.
static const char *parent_of(const char *path, char *parent, const char **name) {
  struct text text = {parent, PATH_BYTES, 0};
  *name = path;
  for (const char *c = path; *c != '\0'; c++)
    if (*c == '/') *name = c + 1;
  text_add_count(&text, path, (size_t)(*name - path));
  return text.length == 0 ? "/" : parent;
}

static long open_parent_if_there(const char *path, const char **name) {
  char parent[PATH_BYTES];
  const char *directory = parent_of(path, parent, name);
  if (**name == '\0' || same_text(*name, ".") || same_text(*name, "..")) return -EINVAL;
  return open_in_root(directory, O_PATH | O_DIRECTORY, 0);
}

// Usually only the last component is missing.
static long make_last(const char *path) {
  const char *name;
  const long parent = open_parent_if_there(path, &name);
  if (parent < 0) return parent;
  const long made = sys(__NR_mkdirat, parent, name, 0755);
  sys(__NR_close, parent);
  return made < 0 && made != -EEXIST ? made : open_in_root(path, O_PATH | O_DIRECTORY, 0);
}

// Makes every missing directory of `path`, one component at a time, each looked up from the root again.
static long make_directories(const char *path) {
  const long made = make_last(path);
  if (made >= 0) return made;
  char prefix[PATH_BYTES];
  struct text text = {prefix, sizeof prefix, 0};
  long directory = open_in_root("/", O_PATH | O_DIRECTORY, 0);
  while (directory >= 0) {
    while (*path == '/') path++;
    if (*path == '\0') return directory;
    const size_t start = text.length + 1;
    text_add(&text, "/");
    while (*path != '\0' && *path != '/') text_add_count(&text, path++, 1);
    long next = open_in_root(prefix, O_PATH | O_DIRECTORY, 0);
    if (next == -ENOENT) {
      const long made = sys(__NR_mkdirat, directory, prefix + start, 0755);
      next = made < 0 && made != -EEXIST ? made : open_in_root(prefix, O_PATH | O_DIRECTORY, 0);
    }
    sys(__NR_close, directory);
    directory = next;
  }
  return directory;
}

long open_parent(const char *path, const char **name) {
  const long fd = open_parent_if_there(path, name);
  if (fd != -ENOENT) return fd;
  char parent[PATH_BYTES];
  return make_directories(parent_of(path, parent, name));
}

static long make_file(const char *path) {
  const char *name;
  const long parent = open_parent(path, &name);
  if (parent < 0) return parent;
  const long fd = sys(__NR_openat, parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0755);
  sys(__NR_close, parent);
  if (fd < 0 && fd != -EEXIST) return fd;
  if (fd >= 0) sys(__NR_close, fd);
  return 0;
}

long open_target_as(const char *path, enum target kind, uint64_t flags, uint64_t resolve) {
  flags |= kind == TARGET_DIRECTORY ? O_PATH | O_DIRECTORY : O_PATH;
  const long fd = open_in_root(path, flags, resolve);
  if (fd != -ENOENT) return fd;
  const long made = kind == TARGET_DIRECTORY ? make_directories(path) : make_file(path);
  if (made < 0) return made;
  if (kind == TARGET_DIRECTORY && resolve == 0 && (flags & O_NOFOLLOW) == 0) return made;
  if (kind == TARGET_DIRECTORY) sys(__NR_close, made);
  return open_in_root(path, flags, resolve);
}

long open_target(const char *path, enum target kind, uint64_t resolve) { return open_target_as(path, kind, 0, resolve); }

uint32_t mode_of(int fd) {
  struct statx status;
  const long result = sys(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MODE, &status);
  return result < 0 ? 0 : status.stx_mode;
}

bool is_device(int fd, uint32_t major, uint32_t minor) {
  struct statx status;
  if (sys(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &status) < 0) return false;
  return (status.stx_mode & S_IFMT) == S_IFCHR && status.stx_rdev_major == major && status.stx_rdev_minor == minor;
}
