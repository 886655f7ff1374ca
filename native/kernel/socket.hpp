// Sockets of the calling thread's network namespace.
#pragma once

#include <cstdint>
#include <string>

#include "kernel/fd.hpp"

namespace keelson::kernel {

// A TCP connection to the port on 127.0.0.1, or on ::1 where nothing listens on the former. A socket belongs for ever
// to the namespace it was made in, so the descriptor may be used from anywhere.
Fd connectLoopback(uint16_t port);

// SO_PEERCRED of a Unix socket: the effective uid of who connected.
uint32_t peerUid(int socket);

// One datagram to a Unix socket; a path that begins with @ is a name of the abstract kind (unix(7)). Never waits.
void sendDatagram(const std::string& path, const std::string& text);

}  // namespace keelson::kernel
