// Decompression of zstd (RFC 8878) by the host's libzstd, which is looked for when it is first needed: nothing of it
// is needed to build or to start us. The few entry points used have been stable since version 1.3.
#pragma once

#include <memory>

#include "kernel/decoder.hpp"

namespace keelson::kernel {

// Frames one after the other are one stream. EBADMSG also for those that ask for a window above 128 MiB. ENOSYS where
// the host has no libzstd.so.1; ENOMEM.
std::unique_ptr<Decoder> openZstd();

}  // namespace keelson::kernel
