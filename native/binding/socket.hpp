#pragma once

#include <napi.h>

namespace keelson::binding {

void exportSocket(Napi::Env env, Napi::Object exports);

}  // namespace keelson::binding
