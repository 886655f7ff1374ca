#include "binding/terminal.hpp"

#include <cstring>

#include "binding/value.hpp"
#include "kernel/terminal.hpp"

namespace keelson::binding {

static void setWindowSize(const Napi::CallbackInfo& info) {
  const int master = readInt(info[0], "master");
  const int columns = readInt(info[1], "columns");
  const int rows = readInt(info[2], "rows");
  instant(info.Env(), [&] { kernel::setWindowSize(master, columns, rows); });
}

static Napi::Value makeRaw(const Napi::CallbackInfo& info) {
  const int terminal = readInt(info[0], "terminal");
  const termios before = instant(info.Env(), [&] { return kernel::makeRaw(terminal); });
  return Napi::Buffer<uint8_t>::Copy(info.Env(), reinterpret_cast<const uint8_t*>(&before), sizeof before);
}

static void setTerminal(const Napi::CallbackInfo& info) {
  const int terminal = readInt(info[0], "terminal");
  const auto bytes = info[1].As<Napi::Uint8Array>();
  termios settings{};
  if (bytes.ByteLength() == sizeof settings) {
    std::memcpy(&settings, bytes.Data(), sizeof settings);
    kernel::setTerminal(terminal, settings);
  }
}

void exportTerminal(Napi::Env env, Napi::Object exports) {
  exports.Set("setWindowSize", Napi::Function::New(env, setWindowSize));
  exports.Set("makeRaw", Napi::Function::New(env, makeRaw));
  exports.Set("setTerminal", Napi::Function::New(env, setTerminal));
}

}  // namespace keelson::binding
