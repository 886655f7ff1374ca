#include <fcntl.h>
#include <sys/stat.h>

#include "kernel/error.hpp"
#include "kernel/path.hpp"
#include "kernel/tree.hpp"

namespace keelson::kernel {
namespace {

// Walks a tree that others may be changing, however deep it is, with a bounded number of descriptors: only the deepest
// of the directories that it is in are open. Back in one that it had closed, it comes by "..", and looks whether that
// is still the one it left; where somebody moved it, the walk ends, and the answer is what was counted by then.
class UsageWalk {
 public:
  TreeUsage count(Fd root) {
    enter(std::move(root));
    while (!levels_.empty()) {
      Level& here = levels_.back();
      if (here.names.empty()) {
        if (!leave()) break;
        continue;
      }
      const std::string name = std::move(here.names.back());
      here.names.pop_back();
      visit(here.directory.get(), name);
    }
    return usage_;
  }

 private:
  static constexpr size_t kMaxOpen = 32;

  struct Level {
    Fd directory;
    dev_t device = 0;
    ino_t inode = 0;
    std::vector<std::string> names;  // not visited yet
  };

  void enter(Fd directory) {
    struct stat status{};
    if (::fstat(directory.get(), &status) == -1) return;
    Level level{std::move(directory), status.st_dev, status.st_ino, {}};
    try {
      level.names = listNames(level.directory.get());
    } catch (const SyscallFailure&) {
      return;  // removed meanwhile
    }
    levels_.push_back(std::move(level));
    if (levels_.size() > kMaxOpen) levels_[levels_.size() - 1 - kMaxOpen].directory.reset();
  }

  bool leave() {
    const Level child = std::move(levels_.back());
    levels_.pop_back();
    if (levels_.empty() || levels_.back().directory) return true;
    Level& parent = levels_.back();
    parent.directory = Fd(::openat(child.directory.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat status{};
    return ::fstat(parent.directory.get(), &status) == 0 && status.st_dev == parent.device &&
           status.st_ino == parent.inode;
  }

  void visit(int directory, const std::string& name) {
    struct stat status{};
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == -1) return;  // removed meanwhile
    // A file with several names counts a share for each of them.
    usage_.bytes += static_cast<uint64_t>(status.st_blocks) * 512 / (S_ISDIR(status.st_mode) ? 1 : status.st_nlink);
    usage_.inodes += 1;
    if (!S_ISDIR(status.st_mode)) return;
    Fd below(::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (below) enter(std::move(below));
  }

  std::vector<Level> levels_;
  TreeUsage usage_;
};

}  // namespace

TreeUsage treeUsage(const std::string& path) {
  Fd root(check(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), "open", path));
  struct stat status{};
  check(::fstat(root.get(), &status), "fstat", path);
  TreeUsage usage = UsageWalk().count(std::move(root));
  usage.bytes += static_cast<uint64_t>(status.st_blocks) * 512;
  usage.inodes += 1;
  return usage;
}

}  // namespace keelson::kernel
