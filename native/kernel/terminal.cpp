#include "kernel/terminal.hpp"

#include <sys/ioctl.h>

#include "kernel/error.hpp"

namespace keelson::kernel {

void setWindowSize(int master, int columns, int rows) {
  winsize size{};
  size.ws_col = static_cast<unsigned short>(columns);
  size.ws_row = static_cast<unsigned short>(rows);
  check(::ioctl(master, TIOCSWINSZ, &size), "ioctl", "TIOCSWINSZ");
}

}  // namespace keelson::kernel
