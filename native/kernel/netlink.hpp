// Requests to the kernel over netlink(7): send one, read until its acknowledgement or the end of its dump.
// What the bytes say is decided in src/kernel/netlink.ts.
#pragma once

#include <string>
#include <vector>

namespace keelson::kernel {

struct NetlinkRequest {
  int networkNamespace = -1;  // -1: the one of the process
  std::string label;          // what it is about; goes into the failure
  std::string message;        // one whole nlmsghdr with its payload; the sequence number is filled in here
};

// Carries the requests out in order and stops at the first that fails. Answers, per request, the messages that the
// kernel sent for it, one after the other as they came, without acknowledgements. Enters the requests' network
// namespaces: use a thread that ends with the call. A failure names the request's type (`RTM_NEWROUTE`); its path is
// the label with the kernel's own explanation, where there is one.
std::vector<std::string> netlinkExchange(int protocol, const std::vector<NetlinkRequest>& requests);

}  // namespace keelson::kernel
