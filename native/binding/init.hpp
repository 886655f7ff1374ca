#pragma once

#include <napi.h>

namespace keelson::binding {
void exportInit(Napi::Env env, Napi::Object exports);
}
