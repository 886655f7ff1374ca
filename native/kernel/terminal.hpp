// Pseudo terminals, seen from the master.
#pragma once

namespace keelson::kernel {
// ioctl(2) TIOCSWINSZ.
void setWindowSize(int master, int columns, int rows);
}
