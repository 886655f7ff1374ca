#include "binding/apart.hpp"

#include <memory>

#include "kernel/apart.hpp"

namespace keelson::binding {
namespace {

using Settle = std::function<void(Napi::Env)>;

// One per environment: to make a way back for each call would cost more than the call. It keeps the event loop alive
// only while something is under way.
class WayBack {
 public:
  explicit WayBack(Napi::Env env) : function_(Napi::ThreadSafeFunction::New(env, Napi::Function(), "keelson", 0, 1)) {
    function_.Unref(env);
  }
  ~WayBack() { function_.Release(); }

  void run(Napi::Env env, std::function<void()> work, Settle settle) {
    if (underWay_++ == 0) function_.Ref(env);
    function_.Acquire();  // so that it outlives the environment for as long as the thread may call it
    kernel::runApart(std::move(work), [this, function = function_, settle = std::move(settle)]() mutable {
      auto* owned = new Settle(std::move(settle));
      const auto settleHere = [this](Napi::Env env, Napi::Function, Settle* settle) {
        const std::unique_ptr<Settle> last(settle);
        if (--underWay_ == 0) function_.Unref(env);
        (*last)(env);
      };
      if (function.BlockingCall(owned, settleHere) != napi_ok) delete owned;
      function.Release();
    });
  }

 private:
  Napi::ThreadSafeFunction function_;
  size_t underWay_ = 0;
};

thread_local WayBack* wayBack = nullptr;

}  // namespace

void runApart(Napi::Env env, std::function<void()> work, Settle settle) {
  if (!wayBack) {
    wayBack = new WayBack(env);
    napi_add_env_cleanup_hook(
        env,
        [](void*) {
          delete wayBack;
          wayBack = nullptr;
        },
        nullptr);
  }
  wayBack->run(env, std::move(work), std::move(settle));
}

}  // namespace keelson::binding
