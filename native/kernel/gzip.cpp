#include "kernel/gzip.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernel/error.hpp"

namespace keelson::kernel {
namespace {

// The layout of zlib.h's z_stream, and the few of its constants that are needed here.
struct Stream {
  const uint8_t* nextIn;
  unsigned availableIn;
  unsigned long totalIn;
  uint8_t* nextOut;
  unsigned availableOut;
  unsigned long totalOut;
  const char* message;
  void* state;
  void* (*allocate)(void*, unsigned, unsigned);
  void (*free)(void*, void*);
  void* opaque;
  int dataType;
  unsigned long checksum;
  unsigned long reserved;
};
constexpr int kOk = 0;
constexpr int kStreamEnd = 1;
constexpr int kMemoryError = -4;
constexpr int kBufferError = -5;
constexpr int kNoFlush = 0;
constexpr int kGzipWindowBits = 15 + 16;
constexpr const char* kVersion = "1";  // zlib compares the first character

struct Library {
  int (*initialize)(Stream*, int, const char*, int) = nullptr;
  int (*inflate)(Stream*, int) = nullptr;
  int (*reset)(Stream*) = nullptr;
  int (*end)(Stream*) = nullptr;
  const bool found = find("inflateInit2_", initialize) && find("inflate", inflate) && find("inflateReset", reset) &&
                     find("inflateEnd", end);

  template <typename Function>
  static bool find(const char* name, Function& function) {
    function = reinterpret_cast<Function>(::dlsym(RTLD_DEFAULT, name));
    return function != nullptr;
  }
};

const Library& library() {
  static const Library found;
  return found;
}

unsigned bounded(size_t bytes) { return static_cast<unsigned>(std::min<size_t>(bytes, std::numeric_limits<int>::max())); }

class GzipDecoder : public Decoder {
 public:
  GzipDecoder() {
    if (!library().found) {
      errno = ENOSYS;
      fail("dlsym", "inflate");
    }
    if (library().initialize(&stream_, kGzipWindowBits, kVersion, sizeof stream_) == kOk) return;
    errno = ENOMEM;
    fail("inflateInit2");
  }

  ~GzipDecoder() override { library().end(&stream_); }

  Step step(const void* input, size_t inputBytes, void* output, size_t outputBytes) override {
    stream_.nextIn = static_cast<const uint8_t*>(input);
    stream_.availableIn = bounded(inputBytes);
    stream_.nextOut = static_cast<uint8_t*>(output);
    stream_.availableOut = bounded(outputBytes);
    do {
      if (ended_ && !beginMember()) break;
      inflate();
    } while (stream_.availableIn > 0 && stream_.availableOut > 0);
    if (padding_) stream_.availableIn = 0;
    return {bounded(inputBytes) - stream_.availableIn, bounded(outputBytes) - stream_.availableOut, ended_};
  }

 private:
  bool beginMember() {
    if (stream_.availableIn == 0) return false;
    padding_ = padding_ || *stream_.nextIn == 0;
    if (padding_) return false;
    library().reset(&stream_);
    return true;
  }

  void inflate() {
    const int result = library().inflate(&stream_, kNoFlush);
    ended_ = result == kStreamEnd;
    if (result == kOk || ended_ || result == kBufferError) return;
    errno = result == kMemoryError ? ENOMEM : EBADMSG;
    fail("inflate");
  }

  Stream stream_{};
  bool ended_ = false;
  bool padding_ = false;
};

}  // namespace

std::unique_ptr<Decoder> openGzip() { return std::make_unique<GzipDecoder>(); }

}  // namespace keelson::kernel
