// Pseudo terminals, seen from the master.
#pragma once

#include <termios.h>

namespace keelson::kernel {
// ioctl(2) TIOCSWINSZ.
void setWindowSize(int master, int columns, int rows);

// cfmakeraw(3); the settings that were in force before. A terminal that is gone keeps what it has.
termios makeRaw(int terminal);
void setTerminal(int terminal, const termios& settings);
}
