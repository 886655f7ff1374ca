#pragma once

#include <napi.h>

namespace keelson::binding {

void exportDirectory(Napi::Env env, Napi::Object exports);

}  // namespace keelson::binding
