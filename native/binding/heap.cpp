#include "binding/heap.hpp"

#include "kernel/heap.hpp"

namespace keelson::binding {

static void trimHeap(const Napi::CallbackInfo&) { kernel::trimHeap(); }

void exportHeap(Napi::Env env, Napi::Object exports) {
  exports.Set("trimHeap", Napi::Function::New(env, trimHeap));
}

}  // namespace keelson::binding
