#include "binding/directory.hpp"

#include "binding/value.hpp"
#include "kernel/directory.hpp"

namespace keelson::binding {
namespace {

Napi::Value readFiles(const Napi::CallbackInfo& info) {
  const auto directory = readString(info[0], "directory");
  const auto names = readStrings(info[1]);
  const auto contents = instant(info.Env(), [&] { return kernel::readFiles(directory, names); });
  if (!contents) return info.Env().Undefined();
  auto result = Napi::Array::New(info.Env(), contents->size());
  for (uint32_t at = 0; at < contents->size(); at++)
    if (const auto& content = (*contents)[at]) result.Set(at, Napi::String::New(info.Env(), *content));
  return result;
}

Napi::Value whichExist(const Napi::CallbackInfo& info) {
  const auto exist = kernel::whichExist(readStrings(info[0]));
  auto result = Napi::Array::New(info.Env(), exist.size());
  for (uint32_t at = 0; at < exist.size(); at++) result.Set(at, static_cast<bool>(exist[at]));
  return result;
}

void spreadSubdirectories(const Napi::CallbackInfo& info) {
  const auto path = readString(info[0], "path");
  instant(info.Env(), [&] { kernel::spreadSubdirectories(path); });
}

Napi::Value removeDirectories(const Napi::CallbackInfo& info) {
  return onPool<bool>(
      info.Env(),
      [empty = readStrings(info[0]), flat = readString(info[1], "flat")] {
        return kernel::removeEmptyDirectories(empty) && (flat.empty() || kernel::removeFlatDirectory(flat));
      },
      [](Napi::Env env, bool& gone) -> Napi::Value { return Napi::Boolean::New(env, gone); });
}

}  // namespace

void exportDirectory(Napi::Env env, Napi::Object exports) {
  exports.Set("readFiles", Napi::Function::New(env, readFiles));
  exports.Set("whichExist", Napi::Function::New(env, whichExist));
  exports.Set("spreadSubdirectories", Napi::Function::New(env, spreadSubdirectories));
  exports.Set("removeDirectories", Napi::Function::New(env, removeDirectories));
}

}  // namespace keelson::binding
