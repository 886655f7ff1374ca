// What Landlock of this kernel can do.
#pragma once

namespace keelson::kernel {
// Version of its ABI; 0 where the kernel has none, or it is not among the active security modules.
int landlockAbi();
}
