#include "binding/lock.hpp"

#include "binding/value.hpp"
#include "kernel/lock.hpp"

namespace keelson::binding {
namespace {

Napi::Value tryLockFile(const Napi::CallbackInfo& info) {
  const std::string path = readString(info[0], "path");
  return Napi::Number::New(info.Env(), instant(info.Env(), [&] { return kernel::lockFile(path, true).release(); }));
}

Napi::Value lockFile(const Napi::CallbackInfo& info) {
  return onThread<int>(
      info.Env(), [path = readString(info[0], "path")] { return kernel::lockFile(path, false).release(); },
      [](Napi::Env env, int& fd) -> Napi::Value { return Napi::Number::New(env, fd); });
}

}  // namespace

void exportLock(Napi::Env env, Napi::Object exports) {
  exports.Set("tryLockFile", Napi::Function::New(env, tryLockFile));
  exports.Set("lockFile", Napi::Function::New(env, lockFile));
}

}  // namespace keelson::binding
