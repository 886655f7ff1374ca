#include "kernel/readiness.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <map>
#include <mutex>
#include <thread>

#include "kernel/error.hpp"

namespace keelson::kernel {
namespace {

class Watcher {
 public:
  Watcher() : epoll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {
    std::thread([this] { run(); }).detach();
  }

  void add(int fd, unsigned interest, std::function<void()> callback) {
    const std::lock_guard<std::mutex> lock(mutex_);
    epoll_event event{.events = interest | EPOLLONESHOT, .data = {.fd = fd}};
    check(::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
    callbacks_[fd] = std::move(callback);
  }

  std::function<void()> take(int fd) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto node = callbacks_.extract(fd);
    if (node.empty()) return {};
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
    return std::move(node.mapped());
  }

 private:
  void run() {
    for (;;) {
      epoll_event events[32];
      const int count = ::epoll_wait(epoll_, events, 32, -1);
      for (int i = 0; i < count; i++)
        if (auto callback = take(events[i].data.fd)) callback();
    }
  }

  int epoll_;
  std::mutex mutex_;
  std::map<int, std::function<void()>> callbacks_;
};

// Never destroyed: its thread lives as long as the process.
Watcher& watcher() {
  static auto* one = new Watcher();
  return *one;
}

}  // namespace

void watchReadable(int fd, std::function<void()> callback) { watcher().add(fd, EPOLLIN, std::move(callback)); }

void watchChange(int fd, std::function<void()> callback) { watcher().add(fd, EPOLLPRI, std::move(callback)); }

Fd makeEventFd() { return Fd(check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")); }

bool forgetReadable(int fd) { return static_cast<bool>(watcher().take(fd)); }

}  // namespace keelson::kernel
