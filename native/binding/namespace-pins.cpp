#include "binding/namespace-pins.hpp"

#include "binding/value.hpp"
#include "kernel/namespace-pins.hpp"

namespace keelson::binding {
namespace {

// A call that answers nothing, on a thread apart.
Napi::Value runOnThread(Napi::Env env, std::function<void()> work) {
  return onThread<bool>(
      env,
      [work = std::move(work)] {
        work();
        return true;
      },
      [](Napi::Env settled, bool&) -> Napi::Value { return settled.Undefined(); });
}

kernel::PinRequest readRequest(const Napi::Object& object) {
  kernel::PinRequest request;
  request.id = readString(object.Get("id"), "id");
  request.network = object.Get("network").ToBoolean();
  request.ipc = object.Get("ipc").ToBoolean();
  if (object.Has("hostname")) request.hostname = readString(object.Get("hostname"), "hostname");
  request.shmSizeBytes = static_cast<uint64_t>(object.Get("shmSizeBytes").ToNumber().Int64Value());
  request.ownerUid = object.Get("ownerUid").ToNumber().Uint32Value();
  request.ownerGid = object.Get("ownerGid").ToNumber().Uint32Value();
  const auto made = object.Get("made").As<Napi::Array>();
  for (uint32_t index = 0; index < made.Length(); index++) {
    const auto pair = made.Get(index).As<Napi::Array>();
    request.made.emplace_back(readString(pair.Get(0u), "kind"), readInt(pair.Get(1u), "namespace"));
  }
  const auto sysctls = object.Get("sysctls").As<Napi::Array>();
  for (uint32_t index = 0; index < sysctls.Length(); index++) {
    const auto pair = sysctls.Get(index).As<Napi::Array>();
    request.sysctls.emplace_back(readString(pair.Get(0u), "sysctl"), readString(pair.Get(1u), "sysctl value"));
  }
  return request;
}

Napi::Value openPinNamespace(const Napi::CallbackInfo& info) {
  const std::string runDirectory = readString(info[0], "runDirectory");
  return onThread<kernel::PinNamespace>(
      info.Env(), [runDirectory] { return kernel::openPinNamespace(runDirectory); },
      [](Napi::Env env, kernel::PinNamespace& opened) -> Napi::Value {
        Napi::Object result = Napi::Object::New(env);
        result.Set("mountNamespace", opened.mountNamespace.release());
        result.Set("root", opened.root.release());
        return result;
      });
}

Napi::Value removePinNamespace(const Napi::CallbackInfo& info) {
  const std::string runDirectory = readString(info[0], "runDirectory");
  return runOnThread(info.Env(), [runDirectory] { kernel::removePinNamespace(runDirectory); });
}

Napi::Value createPins(const Napi::CallbackInfo& info) {
  const int mountNamespace = readInt(info[0], "mountNamespace");
  auto request = readRequest(info[1].As<Napi::Object>());
  return runOnThread(info.Env(), [mountNamespace, request = std::move(request)] {
    kernel::createPins(mountNamespace, request);
  });
}

Napi::Value claimPins(const Napi::CallbackInfo& info) {
  const int root = readInt(info[0], "root");
  const std::string from = readString(info[1], "from");
  auto request = readRequest(info[2].As<Napi::Object>());
  return runOnThread(info.Env(),
                     [root, from, request = std::move(request)] { kernel::claimPins(root, from, request); });
}

Napi::Value removePins(const Napi::CallbackInfo& info) {
  const int mountNamespace = readInt(info[0], "mountNamespace");
  const std::string id = readString(info[1], "id");
  return runOnThread(info.Env(), [mountNamespace, id] { kernel::removePins(mountNamespace, id); });
}

Napi::Value openPin(const Napi::CallbackInfo& info) {
  const int root = readInt(info[0], "root");
  const std::string id = readString(info[1], "id");
  const std::string kind = readString(info[2], "kind");
  return Napi::Number::New(info.Env(),
                           instant(info.Env(), [&] { return kernel::openPin(root, id, kind).release(); }));
}

Napi::Value clonePinnedShm(const Napi::CallbackInfo& info) {
  const int mountNamespace = readInt(info[0], "mountNamespace");
  const std::string id = readString(info[1], "id");
  return onThread<kernel::Fd>(
      info.Env(), [mountNamespace, id] { return kernel::clonePinnedShm(mountNamespace, id); },
      [](Napi::Env env, kernel::Fd& tree) -> Napi::Value { return Napi::Number::New(env, tree.release()); });
}

}  // namespace

void exportNamespacePins(Napi::Env env, Napi::Object exports) {
  exports.Set("openPinNamespace", Napi::Function::New(env, openPinNamespace));
  exports.Set("removePinNamespace", Napi::Function::New(env, removePinNamespace));
  exports.Set("createPins", Napi::Function::New(env, createPins));
  exports.Set("claimPins", Napi::Function::New(env, claimPins));
  exports.Set("removePins", Napi::Function::New(env, removePins));
  exports.Set("openPin", Napi::Function::New(env, openPin));
  exports.Set("clonePinnedShm", Napi::Function::New(env, clonePinnedShm));
}

}  // namespace keelson::binding
