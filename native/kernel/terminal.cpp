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

termios makeRaw(int terminal) {
  termios before{};
  check(::tcgetattr(terminal, &before), "tcgetattr");
  termios raw = before;
  ::cfmakeraw(&raw);
  check(::tcsetattr(terminal, TCSANOW, &raw), "tcsetattr");
  return before;
}

void setTerminal(int terminal, const termios& settings) { ::tcsetattr(terminal, TCSANOW, &settings); }

}  // namespace keelson::kernel
