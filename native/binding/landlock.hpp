#pragma once

#include <napi.h>

namespace keelson::binding {
void exportLandlock(Napi::Env env, Napi::Object exports);
}
