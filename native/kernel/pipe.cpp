#include "kernel/pipe.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "kernel/error.hpp"

namespace keelson::kernel {

std::pair<Fd, Fd> makePipe() {
  int ends[2];
  check(::pipe2(ends, O_CLOEXEC), "pipe2");
  return {Fd(ends[0]), Fd(ends[1])};
}

}  // namespace keelson::kernel
