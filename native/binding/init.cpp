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

Napi::Value startedToObject(Napi::Env env, kernel::StartedInit& started) {
  const auto& payload = started.answer.payload;
  auto result = Napi::Object::New(env);
  result.Set("pid", started.pid);
  result.Set("control", started.control.release());
  result.Set("type", static_cast<int>(started.answer.type));
  result.Set("payload", Napi::Buffer<uint8_t>::Copy(env, payload.data(), payload.size()));
  result.Set("terminal", started.terminal.release());
  return result;
}

Napi::Value startInit(const Napi::CallbackInfo& info) {
  return onThread<kernel::StartedInit>(
      info.Env(), [request = readRequest(info)] { return kernel::startInit(request); }, startedToObject);
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
  exports.Set("startInit", Napi::Function::New(env, startInit));
  exports.Set("sendInitFrame", Napi::Function::New(env, sendInitFrame));
  exports.Set("reapInit", Napi::Function::New(env, reapInit));
}

}  // namespace keelson::binding
