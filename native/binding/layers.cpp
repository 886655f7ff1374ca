#include "binding/layers.hpp"

#include "binding/value.hpp"
#include "kernel/layers.hpp"
#include "kernel/tree.hpp"

namespace keelson::binding {
namespace {

Napi::Value readFile(const Napi::CallbackInfo& info) {
  auto layers = readStrings(info[0]);
  auto path = readString(info[1], "path");
  const auto maxBytes = static_cast<size_t>(info[2].As<Napi::Number>().Int64Value());
  using Content = std::optional<std::string>;
  return onPool<Content>(
      info.Env(), [layers, path, maxBytes] { return kernel::layersReadFile(layers, path, maxBytes); },
      [](Napi::Env env, Content& content) -> Napi::Value {
        if (!content) return env.Undefined();
        return Napi::Buffer<char>::Copy(env, content->data(), content->size());
      });
}

Napi::Value have(const Napi::CallbackInfo& info) {
  auto layers = readStrings(info[0]);
  auto path = readString(info[1], "path");
  return onPool<bool>(
      info.Env(), [layers, path] { return kernel::layersHave(layers, path); },
      [](Napi::Env env, bool& found) { return Napi::Boolean::New(env, found); });
}

Napi::Value copyAttributes(const Napi::CallbackInfo& info) {
  auto layers = readStrings(info[0]);
  auto root = readString(info[1], "root");
  auto path = readPath(info[2]);
  return onPool<bool>(
      info.Env(),
      [layers, root, path] {
        const kernel::Fd from = kernel::layersOpenDirectory(layers, path);
        if (!from) return false;
        kernel::treeCopyAttributes(from.get(), kernel::treeOpen(root).get(), path);
        return true;
      },
      [](Napi::Env env, bool& found) { return Napi::Boolean::New(env, found); });
}

}  // namespace

void exportLayers(Napi::Env env, Napi::Object exports) {
  exports.Set("layersReadFile", Napi::Function::New(env, readFile));
  exports.Set("layersHave", Napi::Function::New(env, have));
  exports.Set("layersCopyAttributes", Napi::Function::New(env, copyAttributes));
}

}  // namespace keelson::binding
