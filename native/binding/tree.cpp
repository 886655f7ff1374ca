#include "binding/tree.hpp"

#include <sys/stat.h>

#include "binding/value.hpp"
#include "kernel/tree.hpp"

// The tree calls block and are made on a worker thread of the caller's (src/image/unpack), thousands in a row;
// what the event loop needs goes to the pool.
namespace keelson::binding {
namespace {

uint32_t readUnsigned(const Napi::Value& value, const char* name) {
  if (!value.IsNumber()) throw Napi::TypeError::New(value.Env(), std::string(name) + ": number expected");
  return value.As<Napi::Number>().Uint32Value();
}

int64_t readLong(const Napi::Value& value, const char* name) {
  if (!value.IsNumber()) throw Napi::TypeError::New(value.Env(), std::string(name) + ": number expected");
  return value.As<Napi::Number>().Int64Value();
}

kernel::Attributes readAttributes(const Napi::Value& value) {
  const auto object = value.As<Napi::Object>();
  kernel::Attributes attributes;
  attributes.mode = readUnsigned(object.Get("mode"), "mode");
  attributes.uid = readUnsigned(object.Get("uid"), "uid");
  attributes.gid = readUnsigned(object.Get("gid"), "gid");
  attributes.mtimeSeconds = readLong(object.Get("mtimeSeconds"), "mtimeSeconds");
  attributes.mtimeNanoseconds = readLong(object.Get("mtimeNanoseconds"), "mtimeNanoseconds");
  const Napi::Value xattrs = object.Get("xattrs");
  if (!xattrs.IsArray()) return attributes;
  const auto list = xattrs.As<Napi::Array>();
  for (uint32_t at = 0; at < list.Length(); at++) {
    const auto pair = list.Get(at).As<Napi::Object>();
    const auto bytes = pair.Get("value").As<Napi::Buffer<char>>();
    attributes.xattrs.emplace_back(readString(pair.Get("name"), "name"), std::string(bytes.Data(), bytes.Length()));
  }
  return attributes;
}

Napi::Value open(const Napi::CallbackInfo& info) {
  const std::string path = readString(info[0], "path");
  return Napi::Number::New(info.Env(), instant(info.Env(), [&] { return kernel::treeOpen(path).release(); }));
}

Napi::Value makeDirectories(const Napi::CallbackInfo& info) {
  const int root = readInt(info[0], "root");
  const std::string path = readPath(info[1]);
  const auto made = instant(info.Env(), [&] { return kernel::treeMakeDirectories(root, path); });
  auto list = Napi::Array::New(info.Env(), made.size());
  for (uint32_t at = 0; at < made.size(); at++)
    list.Set(at, Napi::Buffer<char>::Copy(info.Env(), made[at].data(), made[at].size()));
  return list;
}

void makeDirectory(const Napi::CallbackInfo& info) {
  const int root = readInt(info[0], "root");
  const std::string path = readPath(info[1]);
  const auto attributes = readAttributes(info[2]);
  instant(info.Env(), [&] { kernel::treeMakeDirectory(root, path, attributes); });
}

Napi::Value createFile(const Napi::CallbackInfo& info) {
  const int root = readInt(info[0], "root");
  const std::string path = readPath(info[1]);
  return Napi::Number::New(info.Env(),
                           instant(info.Env(), [&] { return kernel::treeCreateFile(root, path).release(); }));
}

Napi::Value openFile(const Napi::CallbackInfo& info) {
  const int root = readInt(info[0], "root");
  const std::string path = readPath(info[1]);
  return Napi::Number::New(info.Env(),
                           instant(info.Env(), [&] { return kernel::treeOpenFile(root, path).release(); }));
}

void finishFile(const Napi::CallbackInfo& info) {
  const int file = readInt(info[0], "file");
  const auto attributes = readAttributes(info[1]);
  instant(info.Env(), [&] { kernel::treeFinishFile(file, attributes); });
}

void symlink(const Napi::CallbackInfo& info) {
  const int root = readInt(info[0], "root");
  const std::string path = readPath(info[1]);
  const std::string target = readPath(info[2]);
  const auto attributes = readAttributes(info[3]);
  instant(info.Env(), [&] { kernel::treeSymlink(root, path, target, attributes); });
}

void link(const Napi::CallbackInfo& info) {
  const int root = readInt(info[0], "root");
  const std::string path = readPath(info[1]);
  const std::string target = readPath(info[2]);
  instant(info.Env(), [&] { kernel::treeLink(root, path, target); });
}

void node(const Napi::CallbackInfo& info) {
  const int root = readInt(info[0], "root");
  const std::string path = readPath(info[1]);
  const std::string type = readString(info[2], "type");
  const uint32_t bits = type == "fifo" ? S_IFIFO : type == "block" ? S_IFBLK : S_IFCHR;
  const uint32_t major = readUnsigned(info[3], "major");
  const uint32_t minor = readUnsigned(info[4], "minor");
  const auto attributes = readAttributes(info[5]);
  instant(info.Env(), [&] { kernel::treeNode(root, path, bits, major, minor, attributes); });
}

void whiteout(const Napi::CallbackInfo& info) {
  const int root = readInt(info[0], "root");
  const std::string path = readPath(info[1]);
  instant(info.Env(), [&] { kernel::treeWhiteout(root, path); });
}

void opaque(const Napi::CallbackInfo& info) {
  const int root = readInt(info[0], "root");
  const std::string path = readPath(info[1]);
  instant(info.Env(), [&] { kernel::treeOpaque(root, path); });
}

void setTimes(const Napi::CallbackInfo& info) {
  const int root = readInt(info[0], "root");
  const std::string path = readPath(info[1]);
  const int64_t seconds = readLong(info[2], "seconds");
  const int64_t nanoseconds = readLong(info[3], "nanoseconds");
  instant(info.Env(), [&] { kernel::treeSetTimes(root, path, seconds, nanoseconds); });
}

Napi::Value xattrs(const Napi::CallbackInfo& info) {
  const std::string path = readPath(info[0]);
  const auto found = instant(info.Env(), [&] { return kernel::treeXattrs(path); });
  auto list = Napi::Array::New(info.Env(), found.size());
  for (uint32_t at = 0; at < found.size(); at++) {
    const auto& [name, value] = found[at];
    auto pair = Napi::Object::New(info.Env());
    pair.Set("name", name);
    pair.Set("value", Napi::Buffer<char>::Copy(info.Env(), value.data(), value.size()));
    list.Set(at, pair);
  }
  return list;
}

Napi::Value remove(const Napi::CallbackInfo& info) {
  auto path = readString(info[0], "path");
  return onPool<bool>(
      info.Env(),
      [path] {
        kernel::treeRemove(path);
        return true;
      },
      [](Napi::Env env, bool&) { return env.Undefined(); });
}

Napi::Value sync(const Napi::CallbackInfo& info) {
  auto path = readString(info[0], "path");
  return onPool<bool>(
      info.Env(),
      [path] {
        kernel::treeSync(path);
        return true;
      },
      [](Napi::Env env, bool&) { return env.Undefined(); });
}

Napi::Value usage(const Napi::CallbackInfo& info) {
  auto path = readString(info[0], "path");
  return onPool<kernel::TreeUsage>(
      info.Env(), [path] { return kernel::treeUsage(path); },
      [](Napi::Env env, kernel::TreeUsage& usage) -> Napi::Value {
        auto object = Napi::Object::New(env);
        object.Set("bytes", static_cast<double>(usage.bytes));
        object.Set("inodes", static_cast<double>(usage.inodes));
        return object;
      });
}

}  // namespace

void exportTree(Napi::Env env, Napi::Object exports) {
  const std::pair<const char*, void (*)(const Napi::CallbackInfo&)> actions[] = {
      {"treeMakeDirectory", makeDirectory}, {"treeFinishFile", finishFile}, {"treeSymlink", symlink},
      {"treeLink", link},                   {"treeNode", node},             {"treeWhiteout", whiteout},
      {"treeOpaque", opaque},               {"treeSetTimes", setTimes}};
  for (const auto& [name, call] : actions) exports.Set(name, Napi::Function::New(env, call));
  const std::pair<const char*, Napi::Value (*)(const Napi::CallbackInfo&)> questions[] = {
      {"treeOpen", open},         {"treeMakeDirectories", makeDirectories},
      {"treeOpenFile", openFile}, {"treeCreateFile", createFile},
      {"treeRemove", remove},     {"treeSync", sync},
      {"treeUsage", usage},       {"treeXattrs", xattrs}};
  for (const auto& [name, call] : questions) exports.Set(name, Napi::Function::New(env, call));
}

}  // namespace keelson::binding
