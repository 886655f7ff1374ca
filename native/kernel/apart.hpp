// Threads for work that changes what belongs to its thread: namespaces, credentials, root and working directory.
//
// Making and ending a thread costs more than most of that work. So one that can be brought back to what the process has
// (its namespaces, root and working directory) waits a little for more; one that cannot, ends. Work never waits for
// other work: there are as many threads as there is work at once.
#pragma once

#include <functional>

namespace keelson::kernel {

// Runs `work` on such a thread, then, when nothing of what it entered is held any more, `done`. Neither may throw.
void runApart(std::function<void()> work, std::function<void()> done);

}  // namespace keelson::kernel
