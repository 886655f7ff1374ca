#pragma once

#include <napi.h>

namespace keelson::binding {
void exportDecoder(Napi::Env env, Napi::Object exports);
}
