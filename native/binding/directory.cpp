#include "binding/directory.hpp"

#include "binding/value.hpp"
#include "kernel/directory.hpp"

namespace keelson::binding {
namespace {

Napi::Value removeEmptyDirectories(const Napi::CallbackInfo& info) {
  return onPool<bool>(
      info.Env(), [paths = readStrings(info[0])] { return kernel::removeEmptyDirectories(paths); },
      [](Napi::Env env, bool& gone) -> Napi::Value { return Napi::Boolean::New(env, gone); });
}

Napi::Value removeFlatDirectory(const Napi::CallbackInfo& info) {
  return onPool<bool>(
      info.Env(), [path = readString(info[0], "path")] { return kernel::removeFlatDirectory(path); },
      [](Napi::Env env, bool& gone) -> Napi::Value { return Napi::Boolean::New(env, gone); });
}

}  // namespace

void exportDirectory(Napi::Env env, Napi::Object exports) {
  exports.Set("removeEmptyDirectories", Napi::Function::New(env, removeEmptyDirectories));
  exports.Set("removeFlatDirectory", Napi::Function::New(env, removeFlatDirectory));
}

}  // namespace keelson::binding
