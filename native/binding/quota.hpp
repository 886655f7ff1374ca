#pragma once

#include <napi.h>

namespace keelson::binding {

void exportQuota(Napi::Env env, Napi::Object exports);

}
