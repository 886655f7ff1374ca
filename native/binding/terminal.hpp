#pragma once

#include <napi.h>

namespace keelson::binding {
void exportTerminal(Napi::Env env, Napi::Object exports);
}
