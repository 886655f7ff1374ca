#pragma once

#include <napi.h>

namespace keelson::binding {

void exportMount(Napi::Env env, Napi::Object exports);

}  // namespace keelson::binding
