#include "binding/terminal.hpp"

#include "binding/value.hpp"
#include "kernel/terminal.hpp"

namespace keelson::binding {

static void setWindowSize(const Napi::CallbackInfo& info) {
  const int master = readInt(info[0], "master");
  const int columns = readInt(info[1], "columns");
  const int rows = readInt(info[2], "rows");
  instant(info.Env(), [&] { kernel::setWindowSize(master, columns, rows); });
}

void exportTerminal(Napi::Env env, Napi::Object exports) {
  exports.Set("setWindowSize", Napi::Function::New(env, setWindowSize));
}

}  // namespace keelson::binding
