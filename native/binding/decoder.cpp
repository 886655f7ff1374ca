#include "binding/decoder.hpp"

#include "binding/value.hpp"
#include "kernel/decoder.hpp"
#include "kernel/gzip.hpp"
#include "kernel/zstd.hpp"

// Called on worker threads: each step is a few hundred microseconds of computing.
namespace keelson::binding {

static Napi::Value open(const Napi::CallbackInfo& info) {
  const bool isZstd = readString(info[0], "format") == "zstd";
  auto* decoder =
      instant(info.Env(), [&] { return (isZstd ? kernel::openZstd() : kernel::openGzip()).release(); });
  return Napi::External<kernel::Decoder>::New(info.Env(), decoder, [](Napi::Env, kernel::Decoder* one) { delete one; });
}

static Napi::Value step(const Napi::CallbackInfo& info) {
  auto* decoder = info[0].As<Napi::External<kernel::Decoder>>().Data();
  const auto input = info[1].As<Napi::Buffer<char>>();
  const auto output = info[2].As<Napi::Buffer<char>>();
  const auto done = instant(info.Env(), [&] {
    return decoder->step(input.Data(), input.Length(), output.Data(), output.Length());
  });
  auto answer = Napi::Object::New(info.Env());
  answer.Set("consumed", static_cast<double>(done.consumed));
  answer.Set("produced", static_cast<double>(done.produced));
  answer.Set("ended", done.ended);
  return answer;
}

void exportDecoder(Napi::Env env, Napi::Object exports) {
  exports.Set("decoderOpen", Napi::Function::New(env, open));
  exports.Set("decoderStep", Napi::Function::New(env, step));
}

}  // namespace keelson::binding
