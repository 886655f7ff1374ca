// What every binding file shares: reading arguments, throwing SyscallError, and four ways to run a call.
//
//   instant       on the event loop; only for calls that provably never block
//   whenReadable  the same as soon as a descriptor is readable
//   onPool        on a libuv pool thread; for plain blocking calls
//   onThread      on a thread apart, which is brought back afterwards or ends; for anything that changes the thread's
//                 namespaces, credentials or file system context, which must never leak into a pool thread
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "binding/apart.hpp"
#include "binding/event-loop.hpp"
#include "kernel/error.hpp"

namespace keelson::binding {

// Builds the JavaScript error for a failed call, with the class that src/kernel handed down at load time.
Napi::Error toError(Napi::Env env, const kernel::SyscallFailure& failure);
void setErrorFactory(const Napi::CallbackInfo& info);

inline int32_t readInt(const Napi::Value& value, const char* name) {
  if (!value.IsNumber()) throw Napi::TypeError::New(value.Env(), std::string(name) + ": number expected");
  return value.As<Napi::Number>().Int32Value();
}

inline std::string readString(const Napi::Value& value, const char* name) {
  if (!value.IsString()) throw Napi::TypeError::New(value.Env(), std::string(name) + ": string expected");
  return value.As<Napi::String>().Utf8Value();
}

// Names in archives are bytes, so a path comes as a Buffer or as a string of UTF-8.
inline std::string readPath(const Napi::Value& value) {
  if (value.IsString()) return value.As<Napi::String>().Utf8Value();
  if (!value.IsBuffer()) throw Napi::TypeError::New(value.Env(), "path: string or Buffer expected");
  const auto bytes = value.As<Napi::Buffer<char>>();
  std::string path(bytes.Data(), bytes.Length());
  if (path.find('\0') != std::string::npos) throw Napi::TypeError::New(value.Env(), "path: contains NUL");
  return path;
}

inline std::vector<std::string> readStrings(const Napi::Value& value) {
  std::vector<std::string> strings;
  const auto list = value.As<Napi::Array>();
  for (uint32_t at = 0; at < list.Length(); at++) strings.push_back(readString(list.Get(at), "list"));
  return strings;
}

template <typename Call>
auto instant(Napi::Env env, Call&& call) {
  try {
    return call();
  } catch (const kernel::SyscallFailure& failure) {
    throw toError(env, failure);
  }
}

// The outcome of a call made on another thread, settled on the event loop.
template <typename Result>
struct Pending {
  std::function<Result()> work;
  std::function<Napi::Value(Napi::Env, Result&)> convert;
  Napi::Promise::Deferred deferred;
  std::optional<Result> result;
  std::optional<kernel::SyscallFailure> failure;

  void run() {
    try {
      result.emplace(work());
    } catch (kernel::SyscallFailure& caught) {
      failure.emplace(std::move(caught));
    }
  }

  void settle(Napi::Env env) {
    Napi::HandleScope scope(env);
    if (failure) {
      deferred.Reject(toError(env, *failure).Value());
    } else {
      deferred.Resolve(convert(env, *result));
    }
  }
};

template <typename Result>
class PoolWorker : public Napi::AsyncWorker {
 public:
  PoolWorker(Napi::Env env, std::unique_ptr<Pending<Result>> pending) : AsyncWorker(env), pending_(std::move(pending)) {}
  void Execute() override { pending_->run(); }
  void OnOK() override { pending_->settle(Env()); }

 private:
  std::unique_ptr<Pending<Result>> pending_;
};

template <typename Result>
std::unique_ptr<Pending<Result>> pend(Napi::Env env, std::function<Result()> work,
                                      std::function<Napi::Value(Napi::Env, Result&)> convert) {
  return std::unique_ptr<Pending<Result>>(
      new Pending<Result>{std::move(work), std::move(convert), Napi::Promise::Deferred::New(env), {}, {}});
}

template <typename Result>
Napi::Value onPool(Napi::Env env, std::function<Result()> work,
                   std::function<Napi::Value(Napi::Env, Result&)> convert) {
  auto pending = pend<Result>(env, std::move(work), std::move(convert));
  const Napi::Value promise = pending->deferred.Promise();
  (new PoolWorker<Result>(env, std::move(pending)))->Queue();
  return promise;
}

template <typename Result>
Napi::Value onThread(Napi::Env env, std::function<Result()> work,
                     std::function<Napi::Value(Napi::Env, Result&)> convert) {
  const std::shared_ptr<Pending<Result>> pending = pend<Result>(env, std::move(work), std::move(convert));
  const Napi::Value promise = pending->deferred.Promise();
  runApart(env, [pending] { pending->run(); }, [pending](Napi::Env env) { pending->settle(env); });
  return promise;
}

// Runs `work` once the descriptor is readable, on the event loop: it must not block.
template <typename Result>
Napi::Value whenReadable(Napi::Env env, int fd, std::function<Result()> work,
                         std::function<Napi::Value(Napi::Env, Result&)> convert) {
  const std::shared_ptr<Pending<Result>> pending = pend<Result>(env, std::move(work), std::move(convert));
  instant(env, [&] {
    onReadable(env, fd, [env, pending] {
      pending->run();
      pending->settle(env);
    });
  });
  return pending->deferred.Promise();
}

}  // namespace keelson::binding
