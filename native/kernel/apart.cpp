#include "kernel/apart.hpp"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

namespace keelson::kernel {
namespace {

struct Job {
  std::function<void()> work;
  std::function<void()> done;
};

struct Queue {
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<Job> jobs;
  size_t waiting = 0;
};

constexpr auto keepIdle = std::chrono::seconds(5);
constexpr size_t waitingMax = 4;

// Never destroyed: threads may wait in it while the process exits.
Queue& queue() {
  static Queue& only = *new Queue;
  return only;
}

std::optional<Job> take() {
  Queue& all = queue();
  std::unique_lock lock(all.mutex);
  if (all.jobs.empty()) {
    if (all.waiting >= waitingMax) return std::nullopt;
    all.waiting++;
    all.wake.wait_for(lock, keepIdle, [&] { return !all.jobs.empty(); });
    all.waiting--;
    if (all.jobs.empty()) return std::nullopt;
  }
  Job job = std::move(all.jobs.front());
  all.jobs.pop_front();
  return job;
}

// All four at once, as the process's first thread has them. To enter a mount namespace is to go to its root, so root and
// working directory come after it. Whoever may not do this, or has other credentials left, is not to be used again.
bool goHome() {
  constexpr int entered = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS;
  static const int process = static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0));
  return ::setns(process, entered) == 0 && ::chroot("/proc/self/root") == 0 && ::chdir("/proc/self/cwd") == 0;
}

void serve() {
  bool usable = ::unshare(CLONE_FS) == 0;
  do {
    std::optional<Job> job = take();
    if (!job) return;
    job->work();
    job->work = nullptr;
    usable = usable && goHome();
    job->done();
  } while (usable);
}

}  // namespace

void runApart(std::function<void()> work, std::function<void()> done) {
  Queue& all = queue();
  {
    const std::scoped_lock lock(all.mutex);
    all.jobs.push_back({std::move(work), std::move(done)});
    if (all.jobs.size() <= all.waiting) {
      all.wake.notify_one();
      return;
    }
  }
  std::thread(serve).detach();
}

}  // namespace keelson::kernel
