#include "binding/sysctl.hpp"

#include <sched.h>

#include "binding/value.hpp"
#include "kernel/namespace.hpp"
#include "kernel/sysctl.hpp"

namespace keelson::binding {
namespace {

void enterNetwork(int fd) {
  if (fd >= 0) kernel::enterNamespace(fd, CLONE_NEWNET);
}

// (network namespace or -1, path below /proc/sys)
Napi::Value readSysctl(const Napi::CallbackInfo& info) {
  const int fd = readInt(info[0], "namespaceFd");
  const std::string path = readString(info[1], "path");
  return onThread<std::string>(
      info.Env(),
      [fd, path] {
        enterNetwork(fd);
        return kernel::readSysctl(path);
      },
      [](Napi::Env env, std::string& value) -> Napi::Value { return Napi::String::New(env, value); });
}

Napi::Value writeSysctl(const Napi::CallbackInfo& info) {
  const int fd = readInt(info[0], "namespaceFd");
  const std::string path = readString(info[1], "path");
  const std::string value = readString(info[2], "value");
  return onThread<bool>(
      info.Env(),
      [fd, path, value] {
        enterNetwork(fd);
        kernel::writeSysctl(path, value);
        return true;
      },
      [](Napi::Env env, bool&) -> Napi::Value { return env.Undefined(); });
}

}  // namespace

void exportSysctl(Napi::Env env, Napi::Object exports) {
  exports.Set("readSysctl", Napi::Function::New(env, readSysctl));
  exports.Set("writeSysctl", Napi::Function::New(env, writeSysctl));
}

}  // namespace keelson::binding
