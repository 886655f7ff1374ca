#pragma once

#include <napi.h>

#include <functional>

namespace keelson::binding {

// Runs `work` on a thread apart (kernel/apart.hpp), then `settle` on the event loop of `env`, which stays alive for it.
void runApart(Napi::Env env, std::function<void()> work, std::function<void(Napi::Env)> settle);

}  // namespace keelson::binding
