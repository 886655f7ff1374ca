// malloc_trim(3): what the C library keeps of memory that was freed goes back to the kernel.
#pragma once

namespace keelson::kernel {
// Where the C library has no such call it has nothing to give back.
void trimHeap();
}
