#include "binding/mount.hpp"

#include "binding/value.hpp"
#include "kernel/mount.hpp"

namespace keelson::binding {
namespace {

// (path): on a thread, for a path may lead to a file system that does not answer.
Napi::Value cloneTreePrivately(const Napi::CallbackInfo& info) {
  const std::string path = readString(info[0], "path");
  return onThread<kernel::Fd>(
      info.Env(), [path] { return kernel::cloneTreePrivately(path); },
      [](Napi::Env env, kernel::Fd& tree) -> Napi::Value { return Napi::Number::New(env, tree.release()); });
}

}  // namespace

void exportMount(Napi::Env env, Napi::Object exports) {
  exports.Set("cloneTreePrivately", Napi::Function::New(env, cloneTreePrivately));
}

}  // namespace keelson::binding
