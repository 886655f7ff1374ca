#pragma once

#include <napi.h>

namespace keelson::binding {
void exportNamespace(Napi::Env env, Napi::Object exports);
}
