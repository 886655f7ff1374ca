#pragma once

#include <napi.h>

namespace keelson::binding {
void exportSysctl(Napi::Env env, Napi::Object exports);
}
