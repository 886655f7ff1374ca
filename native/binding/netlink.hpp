#pragma once

#include <napi.h>

namespace keelson::binding {
void exportNetlink(Napi::Env env, Napi::Object exports);
}
