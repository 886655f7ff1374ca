#include "binding/file-lock.hpp"

#include "binding/value.hpp"
#include "kernel/file-lock.hpp"

namespace keelson::binding {
namespace {

Napi::Value fileLock(const Napi::CallbackInfo& info) {
  const std::string path = readString(info[0], "path");
  return Napi::Number::New(info.Env(), instant(info.Env(), [&] { return kernel::fileLock(path).release(); }));
}

}  // namespace

void exportFileLock(Napi::Env env, Napi::Object exports) {
  exports.Set("fileLock", Napi::Function::New(env, fileLock));
}

}  // namespace keelson::binding
