#include "binding/process.hpp"

#include "binding/value.hpp"
#include "kernel/process.hpp"

namespace keelson::binding {
namespace {

Napi::Value pidfdOpen(const Napi::CallbackInfo& info) {
  const int pid = readInt(info[0], "pid");
  return Napi::Number::New(info.Env(), instant(info.Env(), [&] { return kernel::pidfdOpen(pid).release(); }));
}

void pidfdSendSignal(const Napi::CallbackInfo& info) {
  const int pidfd = readInt(info[0], "pidfd");
  const int signal = readInt(info[1], "signal");
  instant(info.Env(), [&] { kernel::pidfdSendSignal(pidfd, signal); });
}

}  // namespace

void exportProcess(Napi::Env env, Napi::Object exports) {
  exports.Set("pidfdOpen", Napi::Function::New(env, pidfdOpen));
  exports.Set("pidfdSendSignal", Napi::Function::New(env, pidfdSendSignal));
}

}  // namespace keelson::binding
