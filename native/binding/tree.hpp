#pragma once

#include <napi.h>

namespace keelson::binding {
void exportTree(Napi::Env env, Napi::Object exports);
}
