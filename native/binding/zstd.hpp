#pragma once

#include <napi.h>

namespace keelson::binding {
void exportZstd(Napi::Env env, Napi::Object exports);
}
