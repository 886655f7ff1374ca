#include "kernel/layers.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <deque>
#include <memory>

#include "kernel/error.hpp"
#include "kernel/overlay-marks.hpp"
#include "kernel/path.hpp"

namespace keelson::kernel {
namespace {

constexpr int kMaxLinks = 40;

// One directory of the merged tree: the layers that take part in it, topmost first.
using Stack = std::vector<std::shared_ptr<Fd>>;

// What a name in such a directory stands for: a directory of its own, or something else in one layer.
struct Entry {
  Stack directories;
  std::shared_ptr<Fd> holder;  // the layer's directory that has the non-directory
  mode_t mode = 0;
};

std::shared_ptr<Fd> openDirectory(int parent, const char* name) {
  const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  return std::make_shared<Fd>(check(::openat(parent, name, flags), "openat", name));
}

std::optional<Entry> lookUp(const Stack& stack, const std::string& name) {
  Entry entry;
  for (const std::shared_ptr<Fd>& directory : stack) {
    struct stat status{};
    if (::fstatat(directory->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == -1) {
      if (errno == ENOENT) continue;
      fail("newfstatat", name);
    }
    if (isWhiteout(status)) break;
    if (!S_ISDIR(status.st_mode)) {
      if (entry.directories.empty()) return Entry{{}, directory, status.st_mode};
      break;  // a directory above hides it, and everything below it
    }
    entry.directories.push_back(openDirectory(directory->get(), name.c_str()));
    if (isOpaque(entry.directories.back()->get())) break;
  }
  if (entry.directories.empty()) return std::nullopt;
  return entry;
}

class Walk {
 public:
  explicit Walk(const std::vector<std::string>& layers) {
    for (const std::string& layer : layers) roots_.push_back(openDirectory(AT_FDCWD, layer.c_str()));
    path_.push_back(roots_);
  }

  // The directory where the path ended, or the entry that is no directory (with its name in `last`).
  std::optional<Entry> to(const std::string& path, std::string& last) {
    prepend(path);
    while (!todo_.empty()) {
      last = std::move(todo_.front());
      todo_.pop_front();
      if (last == "..") {
        if (path_.size() > 1) path_.pop_back();
        continue;
      }
      std::optional<Entry> entry = lookUp(path_.back(), last);
      if (!entry) return std::nullopt;
      if (S_ISLNK(entry->mode)) {
        follow(*entry, last);
      } else if (entry->directories.empty()) {
        return todo_.empty() ? entry : std::nullopt;
      } else {
        path_.push_back(std::move(entry->directories));
      }
    }
    return Entry{path_.back(), nullptr, S_IFDIR};
  }

 private:
  void prepend(const std::string& path) {
    const std::vector<std::string> names = splitPath(path);
    todo_.insert(todo_.begin(), names.begin(), names.end());
  }

  void follow(const Entry& entry, const std::string& name) {
    if (++links_ > kMaxLinks) {
      errno = ELOOP;
      fail("readlinkat", name);
    }
    std::string target(4096, '\0');
    const ssize_t length =
        check(::readlinkat(entry.holder->get(), name.c_str(), target.data(), target.size()), "readlinkat", name);
    target.resize(static_cast<size_t>(length));
    if (!target.empty() && target.front() == '/') path_.assign(1, roots_);
    prepend(target);
  }

  Stack roots_;
  std::vector<Stack> path_;  // the directories walked through, the root first
  std::deque<std::string> todo_;
  int links_ = 0;
};

std::string readWhole(int file, size_t maxBytes, const std::string& path) {
  std::string bytes;
  char part[65536];
  while (const ssize_t got = check(::read(file, part, sizeof part), "read", path)) {
    bytes.append(part, static_cast<size_t>(got));
    if (bytes.size() > maxBytes) {
      errno = EFBIG;
      fail("read", path);
    }
  }
  return bytes;
}

}  // namespace

std::optional<std::string> layersReadFile(const std::vector<std::string>& layers, const std::string& path,
                                          size_t maxBytes) {
  std::string name;
  const std::optional<Entry> entry = Walk(layers).to(path, name);
  if (!entry || !S_ISREG(entry->mode)) return std::nullopt;
  const int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC;
  const Fd file(check(::openat(entry->holder->get(), name.c_str(), flags), "openat", path));
  return readWhole(file.get(), maxBytes, path);
}

bool layersHave(const std::vector<std::string>& layers, const std::string& path) {
  std::string name;
  return Walk(layers).to(path, name).has_value();
}

Fd layersOpenDirectory(const std::vector<std::string>& layers, const std::string& path) {
  std::string name;
  std::optional<Entry> entry = Walk(layers).to(path, name);
  if (!entry || !S_ISDIR(entry->mode)) return Fd();
  return std::move(*entry->directories.front());
}

}  // namespace keelson::kernel
