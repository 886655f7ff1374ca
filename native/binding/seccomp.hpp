#pragma once

#include <napi.h>

namespace keelson::binding {
void exportSeccomp(Napi::Env env, Napi::Object exports);
}
