#include "binding/landlock.hpp"

#include "binding/value.hpp"
#include "kernel/landlock.hpp"

namespace keelson::binding {

static Napi::Value landlockAbi(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), kernel::landlockAbi());
}

void exportLandlock(Napi::Env env, Napi::Object exports) {
  exports.Set("landlockAbi", Napi::Function::New(env, landlockAbi));
}

}  // namespace keelson::binding
