#include "binding/zstd.hpp"

#include "binding/value.hpp"
#include "kernel/zstd.hpp"

// Called on worker threads: each step is a few hundred microseconds of computing.
namespace keelson::binding {

static Napi::Value open(const Napi::CallbackInfo& info) {
  auto* decoder = instant(info.Env(), [] { return new kernel::ZstdDecoder(); });
  return Napi::External<kernel::ZstdDecoder>::New(info.Env(), decoder,
                                                  [](Napi::Env, kernel::ZstdDecoder* one) { delete one; });
}

static Napi::Value step(const Napi::CallbackInfo& info) {
  auto* decoder = info[0].As<Napi::External<kernel::ZstdDecoder>>().Data();
  const auto input = info[1].As<Napi::Buffer<char>>();
  const auto output = info[2].As<Napi::Buffer<char>>();
  const auto done = instant(info.Env(), [&] {
    return decoder->step(input.Data(), input.Length(), output.Data(), output.Length());
  });
  auto answer = Napi::Object::New(info.Env());
  answer.Set("consumed", static_cast<double>(done.consumed));
  answer.Set("produced", static_cast<double>(done.produced));
  answer.Set("frameEnded", done.frameEnded);
  return answer;
}

void exportZstd(Napi::Env env, Napi::Object exports) {
  exports.Set("zstdOpen", Napi::Function::New(env, open));
  exports.Set("zstdStep", Napi::Function::New(env, step));
}

}  // namespace keelson::binding
