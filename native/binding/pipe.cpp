#include "binding/pipe.hpp"

#include "binding/value.hpp"
#include "kernel/pipe.hpp"

namespace keelson::binding {

static Napi::Value makePipe(const Napi::CallbackInfo& info) {
  auto [read, write] = instant(info.Env(), [] { return kernel::makePipe(); });
  auto ends = Napi::Array::New(info.Env(), 2);
  ends.Set(0u, read.release());
  ends.Set(1u, write.release());
  return ends;
}

void exportPipe(Napi::Env env, Napi::Object exports) {
  exports.Set("makePipe", Napi::Function::New(env, makePipe));
}

}  // namespace keelson::binding
