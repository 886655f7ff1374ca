#include "binding/seccomp.hpp"

#include "kernel/seccomp.hpp"

namespace keelson::binding {

static Napi::Value seccompFlags(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), kernel::seccompFlags());
}

void exportSeccomp(Napi::Env env, Napi::Object exports) {
  exports.Set("seccompFlags", Napi::Function::New(env, seccompFlags));
}

}  // namespace keelson::binding
