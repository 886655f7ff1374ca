// Requests to the kernel over netlink(7): send one, read until its acknowledgement or the end of its dump.
// What the bytes say is decided in src/kernel/netlink.ts.
#pragma once

#include <string>
#include <vector>

namespace keelson::kernel {

// Whose index a request about a link carries: the one it was given, that of the link which the last answer described, or
// that of this link's other end. So a link can be made and set up in one go.
enum class LinkIndex { given, found, peer };

struct NetlinkRequest {
  int networkNamespace = -1;  // -1: the one of the process
  std::string label;          // what it is about; goes into the failure
  std::string message;        // one whole nlmsghdr with its payload; the sequence number is filled in here
  LinkIndex link = LinkIndex::given;
  // Path below /proc/sys: not a message is sent then, but `message` written there. A setting that this host does not
  // have, or does not let us change, is passed over.
  std::string setting = {};
};

// Carries the requests out in order and stops at the first that fails. Answers, per request, the messages that the
// kernel sent for it, one after the other as they came, without acknowledgements. Enters the requests' network
// namespaces: use a thread apart. A failure names the request's type (`RTM_NEWROUTE`); its path is
// the label with the kernel's own explanation, where there is one.
std::vector<std::string> netlinkExchange(int protocol, const std::vector<NetlinkRequest>& requests);

}  // namespace keelson::kernel
