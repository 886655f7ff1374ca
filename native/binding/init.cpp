#include "binding/init.hpp"

#include "binding/value.hpp"
#include "kernel/init.hpp"

namespace keelson::binding {
namespace {

kernel::InitRequest readRequest(const Napi::CallbackInfo& info) {
  kernel::InitRequest request;
  request.program = readString(info[0], "program");
  const auto plan = info[1].As<Napi::Uint8Array>();
  request.plan.assign(plan.Data(), plan.Data() + plan.ByteLength());
  const auto inherited = info[2].As<Napi::Array>();
  for (uint32_t i = 0; i < inherited.Length(); i++)
    request.inherited.push_back(readInt(inherited.Get(i), "inherited descriptor"));
  request.leaves = info[3].ToBoolean().Value();
  return request;
}

void setFrame(Napi::Object result, const kernel::InitFrame& frame) {
  result.Set("type", static_cast<int>(frame.type));
  result.Set("payload", Napi::Buffer<uint8_t>::Copy(result.Env(), frame.payload.data(), frame.payload.size()));
}

Napi::Value startedToObject(Napi::Env env, kernel::StartedInit& started) {
  auto result = Napi::Object::New(env);
  result.Set("pid", started.pid);
  setFrame(result, started.answer);
  result.Set("terminal", started.terminal.release());
  return result;
}

// Returns { control, answer } at once: the caller can hang up while it waits.
Napi::Value startInit(const Napi::CallbackInfo& info) {
  auto request = readRequest(info);
  auto pair = instant(info.Env(), [] { return kernel::makeControl(); });
  const int control = pair.ours.release();
  auto theirs = std::make_shared<kernel::Fd>(std::move(pair.theirs));
  auto result = Napi::Object::New(info.Env());
  result.Set("control", control);
  result.Set("answer", onThread<kernel::StartedInit>(
                           info.Env(),
                           [request = std::move(request), control, theirs] {
                             return kernel::startInit(request, control, std::move(*theirs));
                           },
                           startedToObject));
  return result;
}

void hangUpInit(const Napi::CallbackInfo& info) { kernel::hangUp(readInt(info[0], "control")); }

Napi::Value startProgram(const Napi::CallbackInfo& info) {
  return onThread<kernel::InitFrame>(
      info.Env(),
      [directory = readString(info[0], "directory"), name = readString(info[1], "name")] {
        return kernel::startProgram(directory, name);
      },
      [](Napi::Env env, kernel::InitFrame& frame) -> Napi::Value {
        auto result = Napi::Object::New(env);
        setFrame(result, frame);
        return result;
      });
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
  exports.Set("startProgram", Napi::Function::New(env, startProgram));
  exports.Set("startInit", Napi::Function::New(env, startInit));
  exports.Set("sendInitFrame", Napi::Function::New(env, sendInitFrame));
  exports.Set("reapInit", Napi::Function::New(env, reapInit));
}

}  // namespace keelson::binding
