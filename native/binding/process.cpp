#include "binding/process.hpp"

#include "binding/event-loop.hpp"
#include "binding/value.hpp"
#include "kernel/process.hpp"

namespace keelson::binding {
namespace {

Napi::Value endedToValue(Napi::Env env, kernel::Ended& ended) {
  if (!ended.isKnown) return env.Undefined();
  auto result = Napi::Object::New(env);
  result.Set("code", ended.code);
  result.Set("signal", ended.signal);
  return result;
}

Napi::Value pidfdOpen(const Napi::CallbackInfo& info) {
  const int pid = readInt(info[0], "pid");
  return Napi::Number::New(info.Env(), instant(info.Env(), [&] { return kernel::pidfdOpen(pid).release(); }));
}

void pidfdSendSignal(const Napi::CallbackInfo& info) {
  const int pidfd = readInt(info[0], "pidfd");
  const int signal = readInt(info[1], "signal");
  instant(info.Env(), [&] { kernel::pidfdSendSignal(pidfd, signal); });
}

// Resolves when the process has ended, with { code, signal } when it was ours to reap, else undefined.
Napi::Value pidfdWait(const Napi::CallbackInfo& info) {
  const int pidfd = readInt(info[0], "pidfd");
  return whenReadable<kernel::Ended>(info.Env(), pidfd, [pidfd] { return kernel::pidfdReap(pidfd); }, endedToValue);
}

void stopPidfdWait(const Napi::CallbackInfo& info) { stopWaiting(readInt(info[0], "pidfd")); }

void setSubreaper(const Napi::CallbackInfo& info) {
  const bool on = info[0].ToBoolean().Value();
  instant(info.Env(), [&] { kernel::setSubreaper(on); });
}

Napi::Value originalFileLimit(const Napi::CallbackInfo& info) {
  const auto limit = instant(info.Env(), [] { return kernel::originalFileLimit(); });
  auto result = Napi::Object::New(info.Env());
  result.Set("soft", Napi::BigInt::New(info.Env(), limit.soft));
  result.Set("hard", Napi::BigInt::New(info.Env(), limit.hard));
  return result;
}

}  // namespace

void exportProcess(Napi::Env env, Napi::Object exports) {
  exports.Set("pidfdOpen", Napi::Function::New(env, pidfdOpen));
  exports.Set("pidfdSendSignal", Napi::Function::New(env, pidfdSendSignal));
  exports.Set("pidfdWait", Napi::Function::New(env, pidfdWait));
  exports.Set("stopPidfdWait", Napi::Function::New(env, stopPidfdWait));
  exports.Set("setSubreaper", Napi::Function::New(env, setSubreaper));
  exports.Set("originalFileLimit", Napi::Function::New(env, originalFileLimit));
}

}  // namespace keelson::binding
