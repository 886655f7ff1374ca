// Decompression in steps, whatever the format.
#pragma once

#include <cstddef>

namespace keelson::kernel {

class Decoder {
 public:
  Decoder() = default;
  virtual ~Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  struct Step {
    size_t consumed;
    size_t produced;
    bool ended;  // all that was consumed is whole: the stream may end here
  };
  // Takes what it can of the input and fills what it can of the output. EBADMSG for bytes that are not of the format.
  virtual Step step(const void* input, size_t inputBytes, void* output, size_t outputBytes) = 0;
};

}  // namespace keelson::kernel
