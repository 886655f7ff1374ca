#include <cstring>

#include "binding/value.hpp"

namespace keelson::binding {
namespace {
struct AddonData {
  Napi::FunctionReference errorFactory;
};
}  // namespace

void setErrorFactory(const Napi::CallbackInfo& info) {
  auto* data = new AddonData{Napi::Persistent(info[0].As<Napi::Function>())};
  info.Env().SetInstanceData(data);
}

Napi::Error toError(Napi::Env env, const kernel::SyscallFailure& failure) {
  const char* name = ::strerrorname_np(failure.number);
  const std::string errnoName = name != nullptr ? name : std::to_string(failure.number);
  auto* data = env.GetInstanceData<AddonData>();
  if (data == nullptr) return Napi::Error::New(env, std::string(failure.call) + ": " + errnoName);
  const Napi::Value error = data->errorFactory.Call({Napi::String::New(env, failure.call),
                                                     Napi::String::New(env, errnoName),
                                                     Napi::String::New(env, failure.path)});
  return Napi::Error(env, error);
}

}  // namespace keelson::binding
