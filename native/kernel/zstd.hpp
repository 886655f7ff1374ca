// Decompression of zstd (RFC 8878) by the host's libzstd, which is looked for when it is first needed: nothing of it
// is needed to build or to start us. The few entry points used have been stable since version 1.3.
#pragma once

#include <cstddef>

namespace keelson::kernel {

class ZstdDecoder {
 public:
  // ENOSYS where the host has no libzstd.so.1; ENOMEM.
  ZstdDecoder();
  ~ZstdDecoder();
  ZstdDecoder(const ZstdDecoder&) = delete;
  ZstdDecoder& operator=(const ZstdDecoder&) = delete;

  struct Step {
    size_t consumed;
    size_t produced;
    bool frameEnded;  // all that was consumed makes whole frames
  };
  // Takes what it can of the input and fills what it can of the output. EBADMSG for bytes that are no zstd, or that
  // ask for a window above 128 MiB.
  Step step(const void* input, size_t inputBytes, void* output, size_t outputBytes);

 private:
  void* stream_;
};

}  // namespace keelson::kernel
