#include "binding/namespace.hpp"

#include "binding/value.hpp"
#include "kernel/namespace.hpp"

namespace keelson::binding {

static Napi::Value namespaceType(const Napi::CallbackInfo& info) {
  const int fd = readInt(info[0], "fd");
  return Napi::Number::New(info.Env(), instant(info.Env(), [&] { return kernel::namespaceType(fd); }));
}

void exportNamespace(Napi::Env env, Napi::Object exports) {
  exports.Set("namespaceType", Napi::Function::New(env, namespaceType));
}

}  // namespace keelson::binding
