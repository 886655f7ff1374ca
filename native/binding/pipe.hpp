#pragma once

#include <napi.h>

namespace keelson::binding {
void exportPipe(Napi::Env env, Napi::Object exports);
}
