#pragma once

#include <napi.h>

namespace keelson::binding {
void exportLayers(Napi::Env env, Napi::Object exports);
}
