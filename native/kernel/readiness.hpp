// Tells when a descriptor (a pidfd above all) becomes readable, for any number of them with one thread.
#pragma once

#include <functional>

namespace keelson::kernel {

// Calls back once, on the waiting thread. `key` names the watch for `forget`; the descriptor stays the caller's and
// must stay open until then.
void watchReadable(int fd, std::function<void()> callback);

// No callback comes after this returns true; false when it already came.
bool forgetReadable(int fd);

}  // namespace keelson::kernel
