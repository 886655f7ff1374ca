#pragma once

#include <napi.h>

namespace keelson::binding {
void exportFileLock(Napi::Env env, Napi::Object exports);
}
