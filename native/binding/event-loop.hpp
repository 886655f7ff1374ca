// Waits for descriptors on the event loop itself, for answers that are read in an instant once they are there: no other
// thread, and nothing that is made anew for each.
#pragma once

#include <napi.h>

#include <functional>

namespace keelson::binding {

// Calls back once, on the event loop, where promises may be settled. The descriptor must stay open until then.
void onReadable(Napi::Env env, int fd, std::function<void()> callback);

// Calls back now for a descriptor that is waited for; otherwise does nothing.
void stopWaiting(int fd);

}  // namespace keelson::binding
