#pragma once

#include <napi.h>

namespace keelson::binding {
void exportNamespacePins(Napi::Env env, Napi::Object exports);
}
