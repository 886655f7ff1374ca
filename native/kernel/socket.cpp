#include "kernel/socket.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <string>

#include "kernel/error.hpp"

namespace keelson::kernel {
namespace {

// A full backlog would otherwise hold the thread for minutes.
constexpr timeval patience = {.tv_sec = 5, .tv_usec = 0};

bool tryConnect(const Fd& socket, const sockaddr* address, socklen_t size) {
  return ::connect(socket.get(), address, size) == 0;
}

Fd openSocket(int family) {
  Fd fd(check(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  check(::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), "setsockopt");
  return fd;
}

}  // namespace

Fd connectLoopback(uint16_t port) {
  Fd v4 = openSocket(AF_INET);
  sockaddr_in address4 = {};
  address4.sin_family = AF_INET;
  address4.sin_port = htons(port);
  address4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (tryConnect(v4, reinterpret_cast<const sockaddr*>(&address4), sizeof address4)) return v4;
  if (errno == ECONNREFUSED) {
    Fd v6 = openSocket(AF_INET6);
    sockaddr_in6 address6 = {};
    address6.sin6_family = AF_INET6;
    address6.sin6_port = htons(port);
    address6.sin6_addr = in6addr_loopback;
    if (tryConnect(v6, reinterpret_cast<const sockaddr*>(&address6), sizeof address6)) return v6;
    errno = ECONNREFUSED;
  }
  check(-1, "connect", "localhost:" + std::to_string(port));
  return {};
}

uint32_t peerUid(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  check(::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size), "getsockopt");
  return peer.uid;
}

void sendDatagram(const std::string& path, const std::string& text) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    fail("sendto", path);
  }
  path.copy(address.sun_path, path.size());
  if (path[0] == '@') address.sun_path[0] = '\0';
  const Fd fd(check(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  check(::sendto(fd.get(), text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size),
        "sendto", path);
}

}  // namespace keelson::kernel
