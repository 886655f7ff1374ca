#pragma once

#include <napi.h>

namespace keelson::binding {
void exportReadiness(Napi::Env env, Napi::Object exports);
}
