#include "binding/event-loop.hpp"

#include <sys/epoll.h>

#include <cstdlib>
#include <map>

#include "kernel/error.hpp"
#include "kernel/fd.hpp"

// Of libuv's stable interface, which every Node exports. Its header is not among those of Node-API.
extern "C" {
size_t uv_handle_size(int type);
int uv_poll_init(uv_loop_s* loop, void* handle, int fd);
int uv_poll_start(void* handle, int events, void (*callback)(void* handle, int status, int events));
void uv_close(void* handle, void (*callback)(void* handle));
void uv_ref(void* handle);
void uv_unref(void* handle);
void* uv_handle_get_data(const void* handle);
void uv_handle_set_data(void* handle, void* data);
}

namespace keelson::binding {
namespace {

constexpr int kPollHandle = 8;  // UV_POLL
constexpr int kReadable = 1;    // UV_READABLE
constexpr int kBatch = 32;

// One per event loop: libuv waits for an epoll of ours, so that a wait costs one call to begin it and one to end it.
class LoopWaits {
 public:
  explicit LoopWaits(Napi::Env env)
      : env_(env),
        context_(env, "keelson"),
        epoll_(kernel::check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
        handle_(std::malloc(uv_handle_size(kPollHandle))) {
    uv_loop_s* loop = nullptr;
    napi_get_uv_event_loop(env, &loop);
    uv_poll_init(loop, handle_, epoll_.get());
    uv_handle_set_data(handle_, this);
    uv_poll_start(handle_, kReadable, [](void* handle, int, int) {
      static_cast<LoopWaits*>(uv_handle_get_data(handle))->run();
    });
    uv_unref(handle_);
  }

  ~LoopWaits() { uv_close(handle_, [](void* handle) { std::free(handle); }); }

  void add(int fd, std::function<void()> callback) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    kernel::check(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
    if (callbacks_.empty()) uv_ref(handle_);
    callbacks_[fd] = std::move(callback);
  }

  void stop(int fd) {
    if (callbacks_.count(fd) > 0) take(fd)();
  }

 private:
  void run() {
    const Napi::HandleScope handles(env_);
    const Napi::CallbackScope scope(env_, context_);  // whose end runs what the promises set going
    epoll_event events[kBatch];
    const int count = ::epoll_wait(epoll_.get(), events, kBatch, 0);
    for (int i = 0; i < count; i++) take(events[i].data.fd)();
  }

  std::function<void()> take(int fd) {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    auto callback = std::move(callbacks_.extract(fd).mapped());
    if (callbacks_.empty()) uv_unref(handle_);
    return callback;
  }

  Napi::Env env_;
  Napi::AsyncContext context_;
  kernel::Fd epoll_;
  void* handle_;
  std::map<int, std::function<void()>> callbacks_;
};

// Each thread of Node has a loop, and an environment, of its own. Not destroyed by the thread's end: a process that exits
// has taken its environment down by then.
thread_local LoopWaits* waits = nullptr;

}  // namespace

void onReadable(Napi::Env env, int fd, std::function<void()> callback) {
  if (!waits) {
    waits = new LoopWaits(env);
    napi_add_env_cleanup_hook(
        env,
        [](void*) {
          delete waits;
          waits = nullptr;
        },
        nullptr);
  }
  waits->add(fd, std::move(callback));
}

void stopWaiting(int fd) {
  if (waits) waits->stop(fd);
}

}  // namespace keelson::binding
