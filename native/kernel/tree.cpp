#include "kernel/tree.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <climits>
#include <cstdio>
#include <deque>

#include "kernel/error.hpp"
#include "kernel/overlay-marks.hpp"
#include "kernel/path.hpp"

namespace keelson::kernel {
namespace {

constexpr int kMaxLinks = 40;
// Of directories that are made because something is to be in them.
constexpr size_t kMaxImplied = 1000;

Fd openIn(int root, const std::string& path, uint64_t flags, uint64_t resolve) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = resolve | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  const std::string target = path.empty() ? "." : path;
  return Fd(static_cast<int>(check(::syscall(SYS_openat2, root, target.c_str(), &how, sizeof how), "openat2", path)));
}

struct Slot {
  Fd parent;
  std::string name;
};

// The directory that holds the last component, and that component.
Slot openSlot(int root, const std::string& path) {
  auto [parent, name] = splitLast(path);
  if (name.empty() || name == "." || name == "..") {
    errno = EINVAL;
    fail("openat2", path);
  }
  return {openIn(root, parent, O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT), std::move(name)};
}

// 64 bits that no name of an earlier run has.
std::string randomHex() {
  uint64_t bits = 0;
  check(::getrandom(&bits, sizeof bits, 0), "getrandom");
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(bits));
  return text;
}

// Removes directories with one descriptor per level; what lies deeper than that is first moved up to `top`, under a
// name that a removal which was interrupted cannot have left there, nor an archive have brought.
class Remover {
 public:
  explicit Remover(int top) : top_(top) {}

  void entry(int parent, const std::string& name) {
    removeEntry(parent, name, 0);
    removeRaised();
  }

  void content(int directory) {
    removeContent(directory, 0);
    removeRaised();
  }

 private:
  static constexpr int kMaxDepth = 64;

  void removeContent(int directory, int depth) {
    for (const std::string& name : listNames(directory)) removeEntry(directory, name, depth + 1);
  }

  void removeEntry(int parent, const std::string& name, int depth) {
    if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return;
    if (errno != EISDIR) fail("unlinkat", name);
    if (depth > kMaxDepth) {
      raise(parent, name);
      return;
    }
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const Fd directory(check(::openat(parent, name.c_str(), flags), "openat", name));
    removeContent(directory.get(), depth);
    check(::unlinkat(parent, name.c_str(), AT_REMOVEDIR), "unlinkat", name);
  }

  void raise(int parent, const std::string& name) {
    if (prefix_.empty()) prefix_ = ".keelson-removed-" + randomHex() + "-";
    raised_.push_back(prefix_ + std::to_string(sequence_++));
    check(::renameat(parent, name.c_str(), top_, raised_.back().c_str()), "renameat", name);
  }

  void removeRaised() {
    while (!raised_.empty()) {
      const std::string name = std::move(raised_.back());
      raised_.pop_back();
      removeEntry(top_, name, 0);
    }
  }

  int top_;
  std::string prefix_;
  uint64_t sequence_ = 0;
  std::vector<std::string> raised_;
};

// Whether something was there, and whether it was a whiteout.
struct Cleared {
  bool whiteout = false;
};

Cleared clear(const Slot& slot) {
  struct stat status{};
  if (::fstatat(slot.parent.get(), slot.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == -1) {
    if (errno == ENOENT) return {};
    fail("newfstatat", slot.name);
  }
  if (S_ISDIR(status.st_mode)) {
    Remover(slot.parent.get()).entry(slot.parent.get(), slot.name);
  } else {
    check(::unlinkat(slot.parent.get(), slot.name.c_str(), 0), "unlinkat", slot.name);
  }
  return {isWhiteout(status)};
}

// Runs a call that fails with EEXIST where the name is taken; then the name is freed and the call made again.
template <typename Call>
void replacing(const Slot& slot, const char* name, const std::string& path, Call&& call) {
  if (call() == 0) return;
  if (errno != EEXIST) fail(name, path);
  clear(slot);
  check(call(), name, path);
}

void setXattrs(int fd, const Attributes& attributes) {
  for (const auto& [name, value] : attributes.xattrs) {
    check(::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0), "fsetxattr", name);
  }
}

// Order: chown clears the set-id bits and file capabilities, so mode and xattrs come after it.
void setAttributes(int fd, const Attributes& attributes) {
  check(::fchown(fd, attributes.uid, attributes.gid), "fchown");
  check(::fchmod(fd, attributes.mode & 07777), "fchmod");
  setXattrs(fd, attributes);
}

void setLinkAttributes(const Slot& slot, const Attributes& attributes) {
  const int parent = slot.parent.get();
  const char* name = slot.name.c_str();
  check(::fchownat(parent, name, attributes.uid, attributes.gid, AT_SYMLINK_NOFOLLOW), "fchownat", slot.name);
  const timespec time{attributes.mtimeSeconds, attributes.mtimeNanoseconds};
  const timespec times[2] = {time, time};
  check(::utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW), "utimensat", slot.name);
}

Fd openDirectory(int parent, const std::string& name) {
  return Fd(check(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), "openat", name));
}

std::string readLink(int parent, const std::string& name) {
  std::string target(4096, '\0');
  const ssize_t length = check(::readlinkat(parent, name.c_str(), target.data(), target.size()), "readlinkat", name);
  target.resize(static_cast<size_t>(length));
  return target;
}

// Walks one path by hand, making directories as it goes. The position is kept as real names only (no links),
// so that ".." from a link's target is a step back in the list.
class DirectoryMaker {
 public:
  explicit DirectoryMaker(int root) : root_(root), here_(openIn(root, "", O_PATH | O_DIRECTORY, RESOLVE_BENEATH)) {}

  std::vector<std::string> make(const std::string& path) {
    prepend(path);
    while (!todo_.empty()) {
      const std::string name = std::move(todo_.front());
      todo_.pop_front();
      if (name == "..") {
        if (!names_.empty()) names_.pop_back();
        reopen();
      } else {
        step(name);
      }
    }
    return std::move(made_);
  }

 private:
  void prepend(const std::string& path) {
    const std::vector<std::string> parts = splitPath(path);
    todo_.insert(todo_.begin(), parts.begin(), parts.end());
  }

  void reopen() {
    here_ = openIn(root_, joinPath(names_), O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  }

  void step(const std::string& name) {
    struct stat status{};
    if (::fstatat(here_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == -1) {
      if (errno != ENOENT) fail("newfstatat", name);
      makeHere(name, false);
    } else if (S_ISLNK(status.st_mode)) {
      follow(name);
      return;
    } else if (isWhiteout(status)) {
      check(::unlinkat(here_.get(), name.c_str(), 0), "unlinkat", name);
      makeHere(name, true);
    }
    here_ = Fd(check(::openat(here_.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), "openat",
                     joinPath(names_, name)));
    names_.push_back(name);
  }

  void makeHere(const std::string& name, bool opaque) {
    const std::string path = joinPath(names_, name);
    // Links in the tree can make of one short path a deep one, or with ".." a wide one.
    if (++count_ > kMaxImplied || names_.size() >= kMaxImplied || path.size() >= PATH_MAX) {
      errno = ENAMETOOLONG;
      fail("mkdirat", path.substr(0, 200));
    }
    check(::mkdirat(here_.get(), name.c_str(), 0755), "mkdirat", path);
    const Fd made = openDirectory(here_.get(), name);
    check(::fchmod(made.get(), 0755), "fchmod", path);  // the process's umask took part in mkdirat
    if (opaque) markOpaque(made.get(), path);
    if (!opaque) made_.push_back(path);
  }

  void follow(const std::string& name) {
    if (++links_ > kMaxLinks) {
      errno = ELOOP;
      fail("readlinkat", joinPath(names_, name));
    }
    const std::string target = readLink(here_.get(), name);
    if (!target.empty() && target.front() == '/') {
      names_.clear();
      reopen();
    }
    prepend(target);
  }

  int root_;
  Fd here_;
  int links_ = 0;
  size_t count_ = 0;
  std::vector<std::string> names_;
  std::deque<std::string> todo_;
  std::vector<std::string> made_;
};

}  // namespace

Fd treeOpen(const std::string& path) {
  return Fd(check(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), "open", path));
}

std::vector<std::string> treeMakeDirectories(int root, const std::string& path) {
  return DirectoryMaker(root).make(path);
}

void treeMakeDirectory(int root, const std::string& path, const Attributes& attributes) {
  if (splitPath(path).empty()) {
    const Fd self = openIn(root, "", O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH);
    setAttributes(self.get(), attributes);
    return;
  }
  const Slot slot = openSlot(root, path);
  bool opaque = false;
  if (::mkdirat(slot.parent.get(), slot.name.c_str(), 0700) == -1) {
    if (errno != EEXIST) fail("mkdirat", path);
    struct stat status{};
    check(::fstatat(slot.parent.get(), slot.name.c_str(), &status, AT_SYMLINK_NOFOLLOW), "newfstatat", path);
    if (!S_ISDIR(status.st_mode)) {
      opaque = clear(slot).whiteout;
      check(::mkdirat(slot.parent.get(), slot.name.c_str(), 0700), "mkdirat", path);
    }
  }
  const Fd made = openDirectory(slot.parent.get(), slot.name);
  setAttributes(made.get(), attributes);
  if (opaque) markOpaque(made.get(), path);
}

Fd treeOpenFile(int root, const std::string& path) {
  Fd file = openIn(root, path, O_RDONLY | O_NONBLOCK, RESOLVE_IN_ROOT);
  struct stat status{};
  check(::fstat(file.get(), &status), "fstat", path);
  if (!S_ISREG(status.st_mode)) {
    errno = EINVAL;
    fail("openat2", path);
  }
  return file;
}

Fd treeCreateFile(int root, const std::string& path) {
  const Slot slot = openSlot(root, path);
  Fd file;
  replacing(slot, "openat", path, [&] {
    file.reset(::openat(slot.parent.get(), slot.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                        0600));
    return file ? 0 : -1;
  });
  return file;
}

void treeFinishFile(int file, const Attributes& attributes) {
  setAttributes(file, attributes);
  const timespec time{attributes.mtimeSeconds, attributes.mtimeNanoseconds};
  const timespec times[2] = {time, time};
  check(::futimens(file, times), "futimens");
}

void treeSymlink(int root, const std::string& path, const std::string& target, const Attributes& attributes) {
  const Slot slot = openSlot(root, path);
  replacing(slot, "symlinkat", path,
            [&] { return ::symlinkat(target.c_str(), slot.parent.get(), slot.name.c_str()); });
  setLinkAttributes(slot, attributes);
}

void treeLink(int root, const std::string& path, const std::string& target) {
  const Slot source = openSlot(root, target);
  const Slot slot = openSlot(root, path);
  struct stat from{};
  check(::fstatat(source.parent.get(), source.name.c_str(), &from, AT_SYMLINK_NOFOLLOW), "newfstatat", target);
  struct stat there{};
  // A second link of the same two names: freeing the new name would free the file itself.
  if (::fstatat(slot.parent.get(), slot.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
      there.st_ino == from.st_ino && there.st_dev == from.st_dev)
    return;
  replacing(slot, "linkat", path, [&] {
    return ::linkat(source.parent.get(), source.name.c_str(), slot.parent.get(), slot.name.c_str(), 0);
  });
}

void treeNode(int root, const std::string& path, uint32_t type, uint32_t major, uint32_t minor,
              const Attributes& attributes) {
  const Slot slot = openSlot(root, path);
  const int parent = slot.parent.get();
  replacing(slot, "mknodat", path,
            [&] { return ::mknodat(parent, slot.name.c_str(), (type & S_IFMT) | 0600, makedev(major, minor)); });
  check(::fchownat(parent, slot.name.c_str(), attributes.uid, attributes.gid, AT_SYMLINK_NOFOLLOW), "fchownat", path);
  // Made a moment ago by us in a tree that nobody else writes to: this is a node, not a link.
  check(::fchmodat(parent, slot.name.c_str(), attributes.mode & 07777, 0), "fchmodat", path);
  setLinkAttributes(slot, attributes);
}

void treeWhiteout(int root, const std::string& path) {
  const Slot slot = openSlot(root, path);
  if (::mknodat(slot.parent.get(), slot.name.c_str(), S_IFCHR, makedev(0, 0)) == 0) return;
  if (errno != EEXIST) fail("mknodat", path);
  struct stat status{};
  check(::fstatat(slot.parent.get(), slot.name.c_str(), &status, AT_SYMLINK_NOFOLLOW), "newfstatat", path);
  if (S_ISDIR(status.st_mode)) markOpaque(openDirectory(slot.parent.get(), slot.name).get(), path);
}

void treeOpaque(int root, const std::string& path) {
  const Fd directory = openIn(root, path, O_RDONLY | O_DIRECTORY, RESOLVE_IN_ROOT);
  markOpaque(directory.get(), path);
}

void treeSetTimes(int root, const std::string& path, int64_t seconds, int64_t nanoseconds) {
  const timespec times[2] = {{seconds, nanoseconds}, {seconds, nanoseconds}};
  if (splitPath(path).empty()) {
    const Fd self = openIn(root, "", O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH);
    check(::futimens(self.get(), times), "futimens", path);
    return;
  }
  const Slot slot = openSlot(root, path);
  check(::utimensat(slot.parent.get(), slot.name.c_str(), times, AT_SYMLINK_NOFOLLOW), "utimensat", path);
}

std::vector<std::pair<std::string, std::string>> treeXattrs(const std::string& path) {
  std::vector<std::pair<std::string, std::string>> xattrs;
  std::string names(65536, '\0');
  const ssize_t length = check(::llistxattr(path.c_str(), names.data(), names.size()), "llistxattr", path);
  for (ssize_t at = 0; at < length;) {
    const std::string name = names.c_str() + at;
    at += static_cast<ssize_t>(name.size()) + 1;
    std::string value(65536, '\0');
    const ssize_t size = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    value.resize(static_cast<size_t>(check(size, "lgetxattr", path)));
    xattrs.emplace_back(name, value);
  }
  return xattrs;
}

void treeCopyAttributes(int from, int root, const std::string& path) {
  struct stat status{};
  check(::fstat(from, &status), "fstat", path);
  Attributes attributes{status.st_mode & 07777u, status.st_uid, status.st_gid, 0, 0, {}};
  std::string names(65536, '\0');
  const ssize_t length = ::flistxattr(from, names.data(), names.size());
  for (ssize_t at = 0; at < length;) {
    const std::string name = names.c_str() + at;
    at += static_cast<ssize_t>(name.size()) + 1;
    if (isOverlayMark(name)) continue;
    std::string value(65536, '\0');
    const ssize_t size = check(::fgetxattr(from, name.c_str(), value.data(), value.size()), "fgetxattr", name);
    value.resize(static_cast<size_t>(size));
    attributes.xattrs.emplace_back(name, value);
  }
  const Fd directory = openIn(root, path, O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  setAttributes(directory.get(), attributes);
  const timespec times[2] = {status.st_mtim, status.st_mtim};
  check(::futimens(directory.get(), times), "futimens", path);
}

void treeRemove(const std::string& path) {
  auto [parentPath, name] = splitLast(path);
  const Fd parent(::open(parentPath.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!parent) {
    if (errno == ENOENT) return;
    fail("open", parentPath);
  }
  const Fd top(::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (top) Remover(top.get()).content(top.get());
  Remover(parent.get()).entry(parent.get(), name);
}

void treeSync(const std::string& path) {
  const Fd directory(check(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open", path));
  check(::syncfs(directory.get()), "syncfs", path);
}

}  // namespace keelson::kernel
