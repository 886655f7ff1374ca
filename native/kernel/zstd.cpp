#include "kernel/zstd.hpp"

#include <dlfcn.h>

#include "kernel/error.hpp"

namespace keelson::kernel {
namespace {

// The layout of zstd.h's ZSTD_inBuffer and ZSTD_outBuffer.
struct InBuffer {
  const void* source;
  size_t size;
  size_t position;
};
struct OutBuffer {
  void* target;
  size_t size;
  size_t position;
};

struct Library {
  void* (*createStream)() = nullptr;
  size_t (*freeStream)(void*) = nullptr;
  size_t (*decompress)(void*, OutBuffer*, InBuffer*) = nullptr;
  unsigned (*isError)(size_t) = nullptr;
  bool loaded = false;

  Library() {
    void* const handle = ::dlopen("libzstd.so.1", RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return;
    loaded = find(handle, "ZSTD_createDStream", createStream) && find(handle, "ZSTD_freeDStream", freeStream) &&
             find(handle, "ZSTD_decompressStream", decompress) && find(handle, "ZSTD_isError", isError);
  }

  template <typename Function>
  static bool find(void* handle, const char* name, Function& function) {
    function = reinterpret_cast<Function>(::dlsym(handle, name));
    return function != nullptr;
  }
};

const Library& library() {
  static const Library found;
  return found;
}

class ZstdDecoder : public Decoder {
 public:
  ZstdDecoder() {
    if (!library().loaded) {
      errno = ENOSYS;
      fail("dlopen", "libzstd.so.1");
    }
    stream_ = library().createStream();
    if (stream_ != nullptr) return;
    errno = ENOMEM;
    fail("ZSTD_createDStream");
  }

  ~ZstdDecoder() override { library().freeStream(stream_); }

  Step step(const void* input, size_t inputBytes, void* output, size_t outputBytes) override {
    InBuffer in{input, inputBytes, 0};
    OutBuffer out{output, outputBytes, 0};
    const size_t left = library().decompress(stream_, &out, &in);
    if (library().isError(left) != 0) {
      errno = EBADMSG;
      fail("ZSTD_decompressStream");
    }
    return {in.position, out.position, left == 0};
  }

 private:
  void* stream_ = nullptr;
};

}  // namespace

std::unique_ptr<Decoder> openZstd() { return std::make_unique<ZstdDecoder>(); }

}  // namespace keelson::kernel
