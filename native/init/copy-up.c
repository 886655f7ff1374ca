// tmpcopyup: what the image has at a path is copied into the tmpfs that is mounted over it. Every step is relative to a
// descriptor and follows no link, so that nothing of it can be turned elsewhere while we copy.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/mount.h"
#include "init/path.h"
#include "init/syscall.h"

#define DEPTH_MAX 128
#define XATTR_BYTES 4096
#define SEND_MAX 0x7ffff000
#define LINK_FLAGS (O_NOFOLLOW | O_CLOEXEC)

struct times {
  int64_t seconds, nanoseconds;
};

struct copy {
  int from, to;
  const char *path;  // of the mount, for messages
  int depth;
};

void set_mode(int directory, uint32_t mode) {
  const int open = (int)check(sys(__NR_openat, directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "openat", NULL);
  check(sys(__NR_fchmod, open, mode & 07777), "fchmod", NULL);
  sys(__NR_close, open);
}

// What the new file system does not take (a namespace of names it does not know) is left out, as cp does.
static void copy_xattrs(int from, int to) {
  char names[XATTR_BYTES], value[XATTR_BYTES];
  const long length = sys(__NR_flistxattr, from, names, sizeof names);
  for (const char *name = names; length > 0 && name < names + length; name += length_of(name) + 1) {
    const long size = sys(__NR_fgetxattr, from, name, value, sizeof value);
    if (size >= 0) sys(__NR_fsetxattr, to, name, value, size, 0);
  }
}

// The owner first: giving a file away takes its set-user-id bit and its capabilities.
static void copy_attributes(int from, int to, const struct statx *status, const char *path) {
  const struct times times[2] = {{status->stx_atime.tv_sec, status->stx_atime.tv_nsec},
                                 {status->stx_mtime.tv_sec, status->stx_mtime.tv_nsec}};
  check(sys(__NR_fchown, to, status->stx_uid, status->stx_gid), "fchown", path);
  check(sys(__NR_fchmod, to, status->stx_mode & 07777), "fchmod", path);
  copy_xattrs(from, to);
  check(sys(__NR_utimensat, to, 0, times, 0), "utimensat", path);
}

static void copy_content(int from, int to, const char *path) {
  while (check(sys(__NR_sendfile, to, from, 0, SEND_MAX), "sendfile", path) > 0) continue;
}

static void copy_file(const struct copy *copy, const char *name, const struct statx *status) {
  const int from = (int)check(sys(__NR_openat, copy->from, name, O_RDONLY | O_NONBLOCK | LINK_FLAGS), "openat", copy->path);
  const int flags = O_WRONLY | O_CREAT | O_EXCL | LINK_FLAGS;
  const int to = (int)check(sys(__NR_openat, copy->to, name, flags, 0600), "openat", copy->path);
  if ((mode_of(from) & S_IFMT) != S_IFREG) fail("tmpcopyup: a file was exchanged", -ESTALE, copy->path);
  copy_content(from, to, copy->path);
  copy_attributes(from, to, status, copy->path);
  sys(__NR_close, from);
  sys(__NR_close, to);
}

static void copy_directory(const struct copy *copy);

static void copy_child_directory(const struct copy *copy, const char *name, const struct statx *status) {
  const int flags = O_RDONLY | O_DIRECTORY | LINK_FLAGS;
  if (copy->depth >= DEPTH_MAX) fail("tmpcopyup", -ELOOP, copy->path);
  check(sys(__NR_mkdirat, copy->to, name, 0700), "mkdirat", copy->path);
  const struct copy below = {.from = (int)check(sys(__NR_openat, copy->from, name, flags), "openat", copy->path),
                             .to = (int)check(sys(__NR_openat, copy->to, name, flags), "openat", copy->path),
                             .path = copy->path,
                             .depth = copy->depth + 1};
  copy_directory(&below);
  copy_attributes(below.from, below.to, status, copy->path);
  sys(__NR_close, below.from);
  sys(__NR_close, below.to);
}

static void copy_link(const struct copy *copy, const char *name) {
  char content[PATH_BYTES];
  const long length = check(sys(__NR_readlinkat, copy->from, name, content, sizeof content - 1), "readlinkat", copy->path);
  content[length] = '\0';
  check(sys(__NR_symlinkat, content, copy->to, name), "symlinkat", copy->path);
}

static void copy_node(const struct copy *copy, const char *name, const struct statx *status) {
  const uint64_t number = (status->stx_rdev_minor & 0xff) | (uint64_t)(status->stx_rdev_major & 0xfff) << 8 |
                          (uint64_t)(status->stx_rdev_minor & ~0xffu) << 12;
  check(sys(__NR_mknodat, copy->to, name, status->stx_mode, number), "mknodat", copy->path);
}

static void copy_entry(const struct copy *copy, const char *name) {
  struct statx status;
  const uint32_t type = AT_SYMLINK_NOFOLLOW;
  check(sys(__NR_statx, copy->from, name, type, STATX_BASIC_STATS, &status), "statx", copy->path);
  switch (status.stx_mode & S_IFMT) {
    case S_IFDIR:
      return copy_child_directory(copy, name, &status);
    case S_IFREG:
      return copy_file(copy, name, &status);
    case S_IFLNK:
      copy_link(copy, name);
      break;
    default:
      copy_node(copy, name, &status);
  }
  check(sys(__NR_fchownat, copy->to, name, status.stx_uid, status.stx_gid, type), "fchownat", copy->path);
}

static void copy_directory(const struct copy *copy) {
  _Alignas(struct directory_entry) char entries[4096];
  for (;;) {
    const long length = check(sys(__NR_getdents64, copy->from, entries, sizeof entries), "getdents64", copy->path);
    if (length == 0) return;
    for (long at = 0; at < length;) {
      const struct directory_entry *entry = (const struct directory_entry *)(entries + at);
      if (!same_text(entry->name, ".") && !same_text(entry->name, "..")) copy_entry(copy, entry->name);
      at += entry->length;
    }
  }
}

void copy_up(int from, int to, const char *path) {
  const int flags = O_RDONLY | O_DIRECTORY | LINK_FLAGS;
  struct statx status;
  const struct copy copy = {.from = (int)check(sys(__NR_openat, from, ".", flags), "openat", path),
                            .to = (int)check(sys(__NR_openat, to, ".", flags), "openat", path),
                            .path = path,
                            .depth = 0};
  check(sys(__NR_statx, copy.from, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &status), "statx", path);
  copy_directory(&copy);
  copy_attributes(copy.from, copy.to, &status, path);
  sys(__NR_close, copy.from);
  sys(__NR_close, copy.to);
}

bool copy_symlink(const char *source, const char *path) {
  char content[PATH_BYTES], there[PATH_BYTES];
  const long length = sys(__NR_readlinkat, AT_FDCWD, source, content, sizeof content - 1);
  if (length == -EINVAL) return false;
  check(length, "readlinkat", source);
  content[length] = '\0';
  const char *name;
  const int parent = (int)check(open_parent(path, &name), "openat2", path);
  const long made = sys(__NR_symlinkat, content, parent, name);
  if (made == -EEXIST) {
    const long known = sys(__NR_readlinkat, parent, name, there, sizeof there - 1);
    if (known >= 0) there[known] = '\0';
    if (known < 0 || !same_text(content, there)) fail("symlinkat", -EEXIST, path);
  } else {
    check(made, "symlinkat", path);
  }
  sys(__NR_close, parent);
  return true;
}
