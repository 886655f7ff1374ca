// Decompression of gzip (RFC 1952) by the zlib that this process has: Node brings one of its own, or is linked with the
// host's, and either way its functions can be found by name. So it is the code behind node:zlib, called in place.
#pragma once

#include <memory>

#include "kernel/decoder.hpp"

namespace keelson::kernel {

// Members one after the other are one stream; zeros after the last are padding, as of a tape, and what follows them is
// not looked at. ENOSYS where the process has no zlib; ENOMEM.
std::unique_ptr<Decoder> openGzip();

}  // namespace keelson::kernel
