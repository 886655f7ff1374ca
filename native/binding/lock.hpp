#pragma once

#include <napi.h>

namespace keelson::binding {
void exportLock(Napi::Env env, Napi::Object exports);
}
