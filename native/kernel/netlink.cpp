#include "kernel/netlink.hpp"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <memory>

#include "kernel/error.hpp"
#include "kernel/fd.hpp"
#include "kernel/namespace.hpp"
#include "kernel/sysctl.hpp"

namespace keelson::kernel {
namespace {

// The kernel fills at most 32 KiB per dump datagram when the reader offers that much.
constexpr size_t bufferBytes = 65536;
// A dump that was disturbed by a change is asked for again this often.
constexpr int dumpAttempts = 5;

const char* typeName(int protocol, int type) {
  if (protocol != NETLINK_ROUTE) return "netlink";
  switch (type) {
    case RTM_NEWLINK: return "RTM_NEWLINK";
    case RTM_DELLINK: return "RTM_DELLINK";
    case RTM_GETLINK: return "RTM_GETLINK";
    case RTM_SETLINK: return "RTM_SETLINK";
    case RTM_NEWADDR: return "RTM_NEWADDR";
    case RTM_DELADDR: return "RTM_DELADDR";
    case RTM_GETADDR: return "RTM_GETADDR";
    case RTM_NEWROUTE: return "RTM_NEWROUTE";
    case RTM_DELROUTE: return "RTM_DELROUTE";
    case RTM_GETROUTE: return "RTM_GETROUTE";
    case RTM_NEWNEIGH: return "RTM_NEWNEIGH";
    case RTM_DELNEIGH: return "RTM_DELNEIGH";
    case RTM_NEWQDISC: return "RTM_NEWQDISC";
    default: return "rtnetlink";
  }
}

[[noreturn]] void failWith(const char* call, int number, std::string path) {
  throw SyscallFailure{call, number, std::move(path)};
}

Fd openSocket(int protocol) {
  Fd socket(check(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), "socket", "netlink"));
  const int on = 1;
  check(::setsockopt(socket.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on), "setsockopt", "NETLINK_EXT_ACK");
  check(::setsockopt(socket.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on), "setsockopt", "NETLINK_CAP_ACK");
  // Filters in a dump's header then really filter, and unknown ones are refused (kernel 4.20).
  check(::setsockopt(socket.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on), "setsockopt",
        "NETLINK_GET_STRICT_CHK");
  struct sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  check(::bind(socket.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address), "bind", "netlink");
  return socket;
}

// The text that extended acknowledgements carry (NLMSGERR_ATTR_MSG); empty when there is none. With NETLINK_CAP_ACK
// the attributes follow directly on the error, since the kernel leaves the request's payload out.
std::string explanation(const struct nlmsghdr* header) {
  if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  const char* cursor = reinterpret_cast<const char*>(header) + NLMSG_LENGTH(sizeof(struct nlmsgerr));
  const char* end = reinterpret_cast<const char*>(header) + header->nlmsg_len;
  while (end - cursor >= static_cast<ptrdiff_t>(sizeof(struct nlattr))) {
    struct nlattr attribute;
    std::memcpy(&attribute, cursor, sizeof attribute);
    if (attribute.nla_len < NLA_HDRLEN || attribute.nla_len > end - cursor) return {};
    if ((attribute.nla_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG)
      return std::string(cursor + NLA_HDRLEN, ::strnlen(cursor + NLA_HDRLEN, attribute.nla_len - NLA_HDRLEN));
    cursor += NLA_ALIGN(attribute.nla_len);
  }
  return {};
}

std::string labelWith(const std::string& label, const std::string& text) {
  return text.empty() ? label : label + " (" + text + ")";
}

struct Exchange {
  int socket;
  const NetlinkRequest& request;
  const char* call;
  uint32_t sequence;
  std::string answer = {};
  bool disturbed = false;

  // True when this datagram ended the exchange.
  bool take(const char* datagram, size_t length) {
    while (length >= sizeof(struct nlmsghdr)) {
      const auto* header = reinterpret_cast<const struct nlmsghdr*>(datagram);
      if (header->nlmsg_len < sizeof *header || header->nlmsg_len > length) failWith(call, EBADMSG, request.label);
      if (header->nlmsg_seq == sequence && takeMessage(header)) return true;
      const size_t step = NLMSG_ALIGN(header->nlmsg_len);
      if (step >= length) break;
      datagram += step;
      length -= step;
    }
    return false;
  }

  bool takeMessage(const struct nlmsghdr* header) {
    if ((header->nlmsg_flags & NLM_F_DUMP_INTR) != 0) disturbed = true;
    if (header->nlmsg_type == NLMSG_DONE) {
      // A dump that breaks off says so in its last message.
      int32_t error = 0;
      if (header->nlmsg_len >= NLMSG_LENGTH(sizeof error)) std::memcpy(&error, NLMSG_DATA(header), sizeof error);
      if (error < 0) failWith(call, -error, request.label);
      return true;
    }
    if (header->nlmsg_type == NLMSG_ERROR) {
      if (header->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr))) failWith(call, EBADMSG, request.label);
      const auto* error = static_cast<const struct nlmsgerr*>(NLMSG_DATA(header));
      if (error->error != 0) failWith(call, -error->error, labelWith(request.label, explanation(header)));
      return true;
    }
    answer.append(reinterpret_cast<const char*>(header), NLMSG_ALIGN(header->nlmsg_len));
    return false;
  }
};

void send(const Exchange& exchange) {
  std::string message = exchange.request.message;
  struct nlmsghdr header;
  std::memcpy(&header, message.data(), sizeof header);
  header.nlmsg_seq = exchange.sequence;
  std::memcpy(message.data(), &header, sizeof header);
  check(::send(exchange.socket, message.data(), message.size(), 0), "send", exchange.request.label);
}

void receive(Exchange& exchange, char* buffer) {
  for (;;) {
    const ssize_t length = ::recv(exchange.socket, buffer, bufferBytes, MSG_TRUNC);
    if (length < 0 && errno == EINTR) continue;
    check(length, "recv", exchange.request.label);
    if (static_cast<size_t>(length) > bufferBytes) failWith("recv", EMSGSIZE, exchange.request.label);
    if (exchange.take(buffer, static_cast<size_t>(length))) return;
  }
}

// Calls `use` with each attribute that starts at `offset` of the message.
template <typename Use>
void eachAttribute(const char* message, size_t length, size_t offset, Use use) {
  while (offset + sizeof(struct rtattr) <= length) {
    struct rtattr attribute;
    std::memcpy(&attribute, message + offset, sizeof attribute);
    if (attribute.rta_len < sizeof attribute || attribute.rta_len > length - offset) return;
    use(attribute.rta_type, offset + sizeof attribute);
    offset += RTA_ALIGN(attribute.rta_len);
  }
}

struct Found {
  uint32_t index = 0;
  uint32_t peer = 0;
};

void readLink(const std::string& answer, Found& found) {
  struct nlmsghdr header;
  if (answer.size() < NLMSG_LENGTH(sizeof(struct ifinfomsg))) return;
  std::memcpy(&header, answer.data(), sizeof header);
  if (header.nlmsg_type != RTM_NEWLINK) return;
  struct ifinfomsg link;
  std::memcpy(&link, answer.data() + NLMSG_HDRLEN, sizeof link);
  found = {static_cast<uint32_t>(link.ifi_index), 0};
  eachAttribute(answer.data(), answer.size(), NLMSG_SPACE(sizeof link), [&](int type, size_t at) {
    if (type == IFLA_LINK && at + sizeof found.peer <= answer.size())
      std::memcpy(&found.peer, answer.data() + at, sizeof found.peer);
  });
}

// Where a message says which link it is about: in its header, a route in an attribute.
std::string withLink(std::string message, uint32_t index) {
  struct nlmsghdr header;
  std::memcpy(&header, message.data(), sizeof header);
  const auto put = [&](size_t at) {
    if (at + sizeof index <= message.size()) std::memcpy(message.data() + at, &index, sizeof index);
  };
  if (header.nlmsg_type == RTM_NEWROUTE) {
    eachAttribute(message.data(), message.size(), NLMSG_SPACE(sizeof(struct rtmsg)), [&](int type, size_t at) {
      if (type == RTA_OIF) put(at);
    });
  } else {
    put(NLMSG_HDRLEN + 4);  // ifaddrmsg, ndmsg and tcmsg have it at the same place
  }
  return message;
}

void changeIfPossible(const NetlinkRequest& request) {
  try {
    writeSysctl(request.setting, request.message);
  } catch (const SyscallFailure& failure) {
    if (failure.number != ENOENT && failure.number != EROFS && failure.number != EACCES && failure.number != EPERM)
      throw;
  }
}

std::string carryOut(int socket, int protocol, const NetlinkRequest& request, uint32_t& sequence, char* buffer) {
  struct nlmsghdr header;
  if (request.message.size() < sizeof header) failWith("netlink", EINVAL, request.label);
  std::memcpy(&header, request.message.data(), sizeof header);
  if (header.nlmsg_len != request.message.size()) failWith("netlink", EINVAL, request.label);
  const char* call = typeName(protocol, header.nlmsg_type);
  for (int attempt = 0; attempt < dumpAttempts; attempt++) {
    Exchange exchange{socket, request, call, ++sequence};
    send(exchange);
    receive(exchange, buffer);
    if (!exchange.disturbed) return std::move(exchange.answer);
  }
  failWith(call, EAGAIN, request.label);
}

}  // namespace

std::vector<std::string> netlinkExchange(int protocol, const std::vector<NetlinkRequest>& requests) {
  const auto buffer = std::make_unique<std::array<char, bufferBytes>>();
  const Fd own = openOwnNamespace("net");
  std::vector<std::string> answers;
  uint32_t sequence = 0;
  Fd socket;
  int entered = -1;
  Found found;
  for (const NetlinkRequest& request : requests) {
    if (request.networkNamespace != entered) {
      enterNamespace(request.networkNamespace < 0 ? own.get() : request.networkNamespace, CLONE_NEWNET, request.label);
      entered = request.networkNamespace;
      socket.reset();
    }
    if (!request.setting.empty()) {
      changeIfPossible(request);
      answers.emplace_back();
      continue;
    }
    // A socket belongs to the network namespace in which it was opened.
    if (!socket) socket = openSocket(protocol);
    NetlinkRequest placed = request;
    if (request.link != LinkIndex::given)
      placed.message = withLink(request.message, request.link == LinkIndex::found ? found.index : found.peer);
    answers.push_back(carryOut(socket.get(), protocol, placed, sequence, buffer->data()));
    readLink(answers.back(), found);
  }
  return answers;
}

}  // namespace keelson::kernel
