#include "binding/socket.hpp"

#include <sched.h>

#include "binding/value.hpp"
#include "kernel/namespace.hpp"
#include "kernel/socket.hpp"

namespace keelson::binding {
namespace {

// (network namespace, port)
Napi::Value connectLoopback(const Napi::CallbackInfo& info) {
  const int fd = readInt(info[0], "namespaceFd");
  const int port = readInt(info[1], "port");
  return onThread<kernel::Fd>(
      info.Env(),
      [fd, port] {
        kernel::enterNamespace(fd, CLONE_NEWNET);
        return kernel::connectLoopback(static_cast<uint16_t>(port));
      },
      [](Napi::Env env, kernel::Fd& socket) -> Napi::Value { return Napi::Number::New(env, socket.release()); });
}

Napi::Value peerUid(const Napi::CallbackInfo& info) {
  const int fd = readInt(info[0], "socket");
  return Napi::Number::New(info.Env(), instant(info.Env(), [&] { return kernel::peerUid(fd); }));
}

// (path, text)
Napi::Value sendDatagram(const Napi::CallbackInfo& info) {
  const std::string path = readString(info[0], "path");
  const std::string text = readString(info[1], "text");
  instant(info.Env(), [&] { kernel::sendDatagram(path, text); });
  return info.Env().Undefined();
}

}  // namespace

void exportSocket(Napi::Env env, Napi::Object exports) {
  exports.Set("connectLoopback", Napi::Function::New(env, connectLoopback));
  exports.Set("peerUid", Napi::Function::New(env, peerUid));
  exports.Set("sendDatagram", Napi::Function::New(env, sendDatagram));
}

}  // namespace keelson::binding
