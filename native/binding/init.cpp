#include "binding/init.hpp"

#include "binding/value.hpp"
#include "kernel/init.hpp"

namespace keelson::binding {
namespace {

std::vector<uint8_t> readBytes(const Napi::Value& value) {
  const auto bytes = value.As<Napi::Uint8Array>();
  return {bytes.Data(), bytes.Data() + bytes.ByteLength()};
}

std::vector<int> readDescriptors(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<int> fds;
  for (uint32_t i = 0; i < array.Length(); i++) fds.push_back(readInt(array.Get(i), "inherited descriptor"));
  return fds;
}

void setFrame(Napi::Object result, const kernel::InitFrame& frame) {
  result.Set("type", static_cast<int>(frame.type));
  result.Set("payload", Napi::Buffer<uint8_t>::Copy(result.Env(), frame.payload.data(), frame.payload.size()));
}

Napi::Value frameToObject(Napi::Env env, kernel::InitFrame& frame) {
  auto result = Napi::Object::New(env);
  setFrame(result, frame);
  return result;
}

// Returns { control, pid } at once: the caller can hang up while it starts.
Napi::Value spawnInit(const Napi::CallbackInfo& info) {
  kernel::InitRequest request{readString(info[0], "program"), readBytes(info[1]), readDescriptors(info[2]),
                              info[3].ToBoolean().Value()};
  auto pair = instant(info.Env(), [] { return kernel::makeControl(); });
  auto theirs = std::make_shared<kernel::Fd>(std::move(pair.theirs));
  auto result = Napi::Object::New(info.Env());
  result.Set("control", pair.ours.release());
  result.Set("pid", onPool<int>(
                        info.Env(),
                        [request = std::move(request), theirs] { return kernel::spawnInit(request, std::move(*theirs)); },
                        [](Napi::Env env, int& pid) -> Napi::Value { return Napi::Number::New(env, pid); }));
  return result;
}

// The control socket of the one that will carry the plan out; -1 when the zygote is gone.
Napi::Value sendPlan(const Napi::CallbackInfo& info) {
  const int zygote = readInt(info[0], "zygote");
  const auto plan = readBytes(info[1]);
  const auto inherited = readDescriptors(info[2]);
  return Napi::Number::New(info.Env(), instant(info.Env(), [&] {
                             auto pair = kernel::makeControl();
                             return kernel::sendPlan(zygote, pair.theirs, plan, inherited) ? pair.ours.release() : -1;
                           }));
}

Napi::Value receiveAnswer(const Napi::CallbackInfo& info) {
  const int control = readInt(info[0], "control");
  return whenReadable<kernel::InitAnswer>(
      info.Env(), control, [control] { return kernel::receiveAnswer(control); },
      [](Napi::Env env, kernel::InitAnswer& answer) -> Napi::Value {
        auto result = Napi::Object::New(env);
        setFrame(result, answer.frame);
        result.Set("terminal", answer.terminal.release());
        return result;
      });
}

void hangUpInit(const Napi::CallbackInfo& info) { kernel::hangUp(readInt(info[0], "control")); }

void shutDown(const Napi::CallbackInfo& info) { kernel::shutDown(readInt(info[0], "connection")); }

Napi::Value connectIn(const Napi::CallbackInfo& info) {
  const auto directory = readString(info[0], "directory"), name = readString(info[1], "name");
  return Napi::Number::New(info.Env(), instant(info.Env(), [&] { return kernel::connectIn(directory, name).release(); }));
}

Napi::Value startProgram(const Napi::CallbackInfo& info) {
  const auto directory = readString(info[0], "directory"), name = readString(info[1], "name");
  auto connection =
      std::make_shared<kernel::Fd>(instant(info.Env(), [&] { return kernel::askStart(directory, name); }));
  return whenReadable<kernel::InitFrame>(
      info.Env(), connection->get(), [connection] { return kernel::receiveStart(connection->get()); }, frameToObject);
}

void sendInitFrame(const Napi::CallbackInfo& info) {
  const int control = readInt(info[0], "control");
  const int type = readInt(info[1], "type");
  instant(info.Env(), [&] { kernel::sendInitFrame(control, static_cast<uint8_t>(type)); });
}

Napi::Value reapInit(const Napi::CallbackInfo& info) {
  const int pid = readInt(info[0], "pid");
  return onPool<int>(
      info.Env(), [pid] { return kernel::reapInit(pid); },
      [](Napi::Env env, int& status) -> Napi::Value { return Napi::Number::New(env, status); });
}

}  // namespace

void exportInit(Napi::Env env, Napi::Object exports) {
  exports.Set("hangUpInit", Napi::Function::New(env, hangUpInit));
  exports.Set("shutDown", Napi::Function::New(env, shutDown));
  exports.Set("connectIn", Napi::Function::New(env, connectIn));
  exports.Set("startProgram", Napi::Function::New(env, startProgram));
  exports.Set("spawnInit", Napi::Function::New(env, spawnInit));
  exports.Set("sendPlan", Napi::Function::New(env, sendPlan));
  exports.Set("receiveAnswer", Napi::Function::New(env, receiveAnswer));
  exports.Set("sendInitFrame", Napi::Function::New(env, sendInitFrame));
  exports.Set("reapInit", Napi::Function::New(env, reapInit));
}

}  // namespace keelson::binding
