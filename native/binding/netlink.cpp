#include "binding/netlink.hpp"

#include "binding/value.hpp"
#include "kernel/netlink.hpp"

namespace keelson::binding {
namespace {

using Answers = std::vector<std::string>;

kernel::LinkIndex readLinkIndex(const Napi::Value& value) {
  if (!value.IsString()) return kernel::LinkIndex::given;
  return readString(value, "link") == "found" ? kernel::LinkIndex::found : kernel::LinkIndex::peer;
}

kernel::NetlinkRequest readRequest(const Napi::Object& object) {
  const Napi::Value setting = object.Get("setting");
  if (setting.IsString())
    return {readInt(object.Get("namespaceFd"), "namespaceFd"), readString(object.Get("label"), "label"),
            readString(object.Get("value"), "value"), kernel::LinkIndex::given, readString(setting, "setting")};
  const Napi::Value message = object.Get("message");
  if (!message.IsBuffer()) throw Napi::TypeError::New(object.Env(), "message: Buffer expected");
  const auto bytes = message.As<Napi::Buffer<char>>();
  return {readInt(object.Get("namespaceFd"), "namespaceFd"), readString(object.Get("label"), "label"),
          std::string(bytes.Data(), bytes.Length()), readLinkIndex(object.Get("link"))};
}

Napi::Value netlinkExchange(const Napi::CallbackInfo& info) {
  const int protocol = readInt(info[0], "protocol");
  const auto list = info[1].As<Napi::Array>();
  std::vector<kernel::NetlinkRequest> requests;
  for (uint32_t index = 0; index < list.Length(); index++)
    requests.push_back(readRequest(list.Get(index).As<Napi::Object>()));
  return onThread<Answers>(
      info.Env(), [protocol, requests = std::move(requests)] { return kernel::netlinkExchange(protocol, requests); },
      [](Napi::Env env, Answers& answers) -> Napi::Value {
        Napi::Array result = Napi::Array::New(env, answers.size());
        for (uint32_t index = 0; index < answers.size(); index++)
          result.Set(index, Napi::Buffer<char>::Copy(env, answers[index].data(), answers[index].size()));
        return result;
      });
}

}  // namespace

void exportNetlink(Napi::Env env, Napi::Object exports) {
  exports.Set("netlinkExchange", Napi::Function::New(env, netlinkExchange));
}

}  // namespace keelson::binding
