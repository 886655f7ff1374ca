#pragma once

#include <napi.h>

namespace keelson::binding {
void exportProcess(Napi::Env env, Napi::Object exports);
}
