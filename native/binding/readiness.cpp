#include "binding/readiness.hpp"

#include "binding/value.hpp"
#include "kernel/readiness.hpp"

namespace keelson::binding {
namespace {

// Calls back once. Whoever comes first, the event or `forgetEvent`, lets the function go.
void watchEvent(const Napi::CallbackInfo& info) {
  const int fd = readInt(info[0], "descriptor");
  const bool change = info[1].ToBoolean().Value();
  auto tell = Napi::ThreadSafeFunction::New(info.Env(), info[2].As<Napi::Function>(), "keelson-event", 0, 1);
  const auto shared = std::shared_ptr<Napi::ThreadSafeFunction>(
      new Napi::ThreadSafeFunction(tell), [](Napi::ThreadSafeFunction* function) {
        function->Release();
        delete function;
      });
  instant(info.Env(), [&] {
    (change ? kernel::watchChange : kernel::watchReadable)(fd, [shared] { shared->BlockingCall(); });
  });
}

void forgetEvent(const Napi::CallbackInfo& info) { kernel::forgetReadable(readInt(info[0], "descriptor")); }

Napi::Value makeEventFd(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), instant(info.Env(), [] { return kernel::makeEventFd().release(); }));
}

}  // namespace

void exportReadiness(Napi::Env env, Napi::Object exports) {
  exports.Set("watchEvent", Napi::Function::New(env, watchEvent));
  exports.Set("forgetEvent", Napi::Function::New(env, forgetEvent));
  exports.Set("makeEventFd", Napi::Function::New(env, makeEventFd));
}

}  // namespace keelson::binding
