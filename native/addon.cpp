// The export table: one line per facility, in the order of native/kernel.
#include <napi.h>

#include "binding/decoder.hpp"
#include "binding/directory.hpp"
#include "binding/heap.hpp"
#include "binding/init.hpp"
#include "binding/lock.hpp"
#include "binding/file-lock.hpp"
#include "binding/landlock.hpp"
#include "binding/layers.hpp"
#include "binding/mount.hpp"
#include "binding/namespace-pins.hpp"
#include "binding/namespace.hpp"
#include "binding/netlink.hpp"
#include "binding/pipe.hpp"
#include "binding/process.hpp"
#include "binding/quota.hpp"
#include "binding/readiness.hpp"
#include "binding/seccomp.hpp"
#include "binding/socket.hpp"
#include "binding/sysctl.hpp"
#include "binding/terminal.hpp"
#include "binding/tree.hpp"
#include "binding/value.hpp"

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("setErrorFactory", Napi::Function::New(env, keelson::binding::setErrorFactory));
  keelson::binding::exportDecoder(env, exports);
  keelson::binding::exportDirectory(env, exports);
  keelson::binding::exportHeap(env, exports);
  keelson::binding::exportInit(env, exports);
  keelson::binding::exportLock(env, exports);
  keelson::binding::exportFileLock(env, exports);
  keelson::binding::exportLandlock(env, exports);
  keelson::binding::exportLayers(env, exports);
  keelson::binding::exportMount(env, exports);
  keelson::binding::exportNamespacePins(env, exports);
  keelson::binding::exportNamespace(env, exports);
  keelson::binding::exportNetlink(env, exports);
  keelson::binding::exportPipe(env, exports);
  keelson::binding::exportProcess(env, exports);
  keelson::binding::exportQuota(env, exports);
  keelson::binding::exportReadiness(env, exports);
  keelson::binding::exportSeccomp(env, exports);
  keelson::binding::exportSocket(env, exports);
  keelson::binding::exportSysctl(env, exports);
  keelson::binding::exportTerminal(env, exports);
  keelson::binding::exportTree(env, exports);
  return exports;
}

NODE_API_MODULE(keelson, init)
