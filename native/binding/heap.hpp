#pragma once

#include <napi.h>

namespace keelson::binding {
void exportHeap(Napi::Env env, Napi::Object exports);
}
