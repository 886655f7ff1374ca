#include "binding/quota.hpp"

#include "binding/value.hpp"
#include "kernel/quota.hpp"

namespace keelson::binding {
namespace {

uint32_t readProject(const Napi::Value& value) {
  if (!value.IsNumber()) throw Napi::TypeError::New(value.Env(), "project: number expected");
  return value.As<Napi::Number>().Uint32Value();
}

Napi::Value state(const Napi::CallbackInfo& info) {
  auto path = readString(info[0], "path");
  return onPool<kernel::QuotaState>(
      info.Env(), [path] { return kernel::quotaState(path); },
      [](Napi::Env env, kernel::QuotaState& state) -> Napi::Value {
        auto object = Napi::Object::New(env);
        object.Set("counts", state.counts);
        object.Set("limits", state.limits);
        return object;
      });
}

Napi::Value assign(const Napi::CallbackInfo& info) {
  auto path = readString(info[0], "path");
  const uint32_t project = readProject(info[1]);
  const auto bytesMax = static_cast<uint64_t>(info[2].As<Napi::Number>().Int64Value());
  return onPool<bool>(
      info.Env(), [path, project, bytesMax] { return kernel::quotaAssign(path, project, bytesMax); },
      [](Napi::Env env, bool& assigned) -> Napi::Value { return Napi::Boolean::New(env, assigned); });
}

Napi::Value release(const Napi::CallbackInfo& info) {
  auto path = readString(info[0], "path");
  const uint32_t project = readProject(info[1]);
  return onPool<bool>(
      info.Env(),
      [path, project] {
        kernel::quotaRelease(path, project);
        return true;
      },
      [](Napi::Env env, bool&) { return env.Undefined(); });
}

Napi::Value usage(const Napi::CallbackInfo& info) {
  auto path = readString(info[0], "path");
  const uint32_t project = readProject(info[1]);
  return onPool<kernel::QuotaUsage>(
      info.Env(), [path, project] { return kernel::quotaUsage(path, project); },
      [](Napi::Env env, kernel::QuotaUsage& usage) -> Napi::Value {
        auto object = Napi::Object::New(env);
        object.Set("bytes", static_cast<double>(usage.bytes));
        object.Set("inodes", static_cast<double>(usage.inodes));
        return object;
      });
}

}  // namespace

void exportQuota(Napi::Env env, Napi::Object exports) {
  exports.Set("quotaState", Napi::Function::New(env, state));
  exports.Set("quotaAssign", Napi::Function::New(env, assign));
  exports.Set("quotaRelease", Napi::Function::New(env, release));
  exports.Set("quotaUsage", Napi::Function::New(env, usage));
}

}  // namespace keelson::binding
