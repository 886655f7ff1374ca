// Moves a network device of the runtime's namespace into the container's (config-linux.md, "Network Devices"). The
// kernel takes its addresses away when it moves; the permanent global ones are given back, and it is set up. What
// becomes of it when the container ends is the kernel's: physical devices return, virtual ones go with the namespace.
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/socket.h"
#include "init/syscall.h"

#define NETLINK_FAMILY 16
#define RAW_SOCKET 3
#define GET_INDEX 0x8933  // SIOCGIFINDEX
#define GET_NAME 0x8910   // SIOCGIFNAME
#define DEVICE_UP 1       // IFF_UP
#define NEW_INDEX 49      // IFLA_NEW_IFINDEX
#define NAME_BYTES 16
#define ADDRESS_BYTES 16384
// Of an address's flags, those that were somebody's wish; the others are what the kernel found out.
#define WISHED_FLAGS (IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN)

struct device_request {  // struct ifreq
  char name[NAME_BYTES];
  int index;
  char rest[20];
};

struct link_message {
  struct nlmsghdr header;
  struct ifinfomsg info;
  char attributes[64];
};

struct address_message {
  struct nlmsghdr header;
  struct ifaddrmsg info;
  char attributes[256];
};

// Addresses as the kernel listed them, one message behind the other.
struct addresses {
  uint32_t length;
  _Alignas(struct nlmsghdr) char bytes[ADDRESS_BYTES];
};

static int route_socket(void) {
  return (int)check(sys(__NR_socket, NETLINK_FAMILY, RAW_SOCKET | SOCKET_CLOEXEC, NETLINK_ROUTE), "socket", "netlink");
}

// A socket belongs to the namespace that it was made in, wherever its owner goes afterwards.
static int route_socket_in(int namespace) {
  const long own = check(sys(__NR_openat, AT_FDCWD, "/proc/self/ns/net", O_RDONLY | O_CLOEXEC), "openat", "/proc/self/ns/net");
  check(sys(__NR_setns, namespace, CLONE_NEWNET), "setns", NULL);
  const int socket = route_socket();
  check(sys(__NR_setns, own, CLONE_NEWNET), "setns", NULL);
  sys(__NR_close, own);
  return socket;
}

static long index_of(int socket, const char *name) {
  struct device_request request = {0};
  struct text text = {request.name, sizeof request.name, 0};
  text_add(&text, name);
  const long found = sys(__NR_ioctl, socket, GET_INDEX, &request);
  return found < 0 ? found : request.index;
}

static bool is_taken(int socket, int index) {
  struct device_request request = {.index = index};
  return sys(__NR_ioctl, socket, GET_NAME, &request) >= 0;
}

static void add_attribute(struct nlmsghdr *header, uint16_t type, const void *data, uint16_t length) {
  struct rtattr *attribute = (struct rtattr *)((char *)header + NLMSG_ALIGN(header->nlmsg_len));
  attribute->rta_type = type;
  attribute->rta_len = (uint16_t)RTA_LENGTH(length);
  memcpy(RTA_DATA(attribute), data, length);
  header->nlmsg_len = (uint32_t)(NLMSG_ALIGN(header->nlmsg_len) + RTA_ALIGN(attribute->rta_len));
}

// Sends a request and waits for the kernel's verdict on it.
static void ask(int socket, struct nlmsghdr *header, const char *call, const char *name) {
  struct {
    struct nlmsghdr header;
    struct nlmsgerr verdict;
    char echo[512];
  } answer;
  header->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  check(sys(__NR_sendto, socket, header, header->nlmsg_len, 0, 0, 0), "sendto", name);
  check(sys(__NR_recvfrom, socket, &answer, sizeof answer, 0, 0, 0), "recvfrom", name);
  check(answer.header.nlmsg_type == NLMSG_ERROR ? answer.verdict.error : -EPROTO, call, name);
}

static const struct rtattr *next_attribute(const struct rtattr *attribute) {
  return (const struct rtattr *)((const char *)attribute + RTA_ALIGN(attribute->rta_len));
}

static uint32_t flags_of(const struct nlmsghdr *header) {
  const struct ifaddrmsg *info = NLMSG_DATA(header);
  const char *end = (const char *)header + header->nlmsg_len;
  uint32_t flags = info->ifa_flags;
  for (const struct rtattr *one = IFA_RTA(info); (const char *)one + sizeof *one <= end && one->rta_len >= sizeof *one;
       one = next_attribute(one))
    if (one->rta_type == IFA_FLAGS) memcpy(&flags, RTA_DATA(one), sizeof flags);
  return flags;
}

static void keep_address(struct addresses *kept, const struct nlmsghdr *header, int index, const char *name) {
  const struct ifaddrmsg *info = NLMSG_DATA(header);
  if ((int)info->ifa_index != index || info->ifa_scope != RT_SCOPE_UNIVERSE) return;
  if ((flags_of(header) & IFA_F_PERMANENT) == 0) return;
  const uint32_t length = NLMSG_ALIGN(header->nlmsg_len);
  if (length > sizeof kept->bytes - kept->length) fail("addresses", -E2BIG, name);
  memcpy(kept->bytes + kept->length, header, length);
  kept->length += length;
}

static void list_addresses(int socket, int index, struct addresses *kept, const char *name) {
  _Alignas(struct nlmsghdr) static char part[32768];
  struct {
    struct nlmsghdr header;
    struct ifaddrmsg info;
  } request = {.header = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_GETADDR, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
  check(sys(__NR_sendto, socket, &request, sizeof request, 0, 0, 0), "sendto", name);
  for (;;) {
    long left = check(sys(__NR_recvfrom, socket, part, sizeof part, 0, 0, 0), "recvfrom", name);
    const struct nlmsghdr *header = (const struct nlmsghdr *)part;
    for (; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type == NLMSG_DONE) return;
      if (header->nlmsg_type != RTM_NEWADDR) fail("RTM_GETADDR", -EPROTO, name);
      keep_address(kept, header, index, name);
    }
  }
}

static void give_address(int socket, const struct nlmsghdr *known, int index, const char *name) {
  const struct ifaddrmsg *info = NLMSG_DATA(known);
  const char *end = (const char *)known + known->nlmsg_len;
  const uint32_t flags = flags_of(known) & WISHED_FLAGS;
  struct address_message message = {.info = *info};
  message.header = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(sizeof message.info),
                                     .nlmsg_type = RTM_NEWADDR,
                                     .nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL};
  message.info.ifa_index = (uint32_t)index;
  message.info.ifa_flags = (uint8_t)flags;
  for (const struct rtattr *one = IFA_RTA(info); (const char *)one + sizeof *one <= end && one->rta_len >= sizeof *one;
       one = next_attribute(one))
    if (one->rta_type == IFA_LOCAL || one->rta_type == IFA_ADDRESS || one->rta_type == IFA_BROADCAST)
      add_attribute(&message.header, one->rta_type, RTA_DATA(one), (uint16_t)RTA_PAYLOAD(one));
  add_attribute(&message.header, IFA_FLAGS, &flags, sizeof flags);
  ask(socket, &message.header, "RTM_NEWADDR", name);
}

static void move_link(int host, int index, int namespace, const char *new_name, int new_index, const char *name) {
  struct link_message message = {.info = {.ifi_index = index}};
  message.header = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(sizeof message.info), .nlmsg_type = RTM_NEWLINK};
  add_attribute(&message.header, IFLA_NET_NS_FD, &namespace, sizeof namespace);
  add_attribute(&message.header, NEW_INDEX, &new_index, sizeof new_index);
  if (*new_name != '\0') add_attribute(&message.header, IFLA_IFNAME, new_name, (uint16_t)(length_of(new_name) + 1));
  ask(host, &message.header, "RTM_NEWLINK", name);
}

static void set_up(int socket, int index, const char *name) {
  struct link_message message = {.info = {.ifi_index = index, .ifi_flags = DEVICE_UP, .ifi_change = DEVICE_UP}};
  message.header = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(sizeof message.info), .nlmsg_type = RTM_NEWLINK};
  ask(socket, &message.header, "RTM_NEWLINK", name);
}

static int open_childs_namespace(void) {
  char path[32];
  struct text text = {path, sizeof path, 0};
  text_add(&text, "/proc/");
  text_add_number(&text, self.child_pid);
  text_add(&text, "/ns/net");
  return (int)check(sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC), "openat", path);
}

// words: the namespace, none for the child's new one; the device; its name there, empty to keep it, with %d for a number
// that the kernel picks.
void operation_moveDevice(const uint32_t *words) {
  static struct addresses addresses;
  const int joined = slot_fd(words[0]);
  const char *name = text_at(words[1]), *new_name = text_at(words[2]);
  const int namespace = joined < 0 ? open_childs_namespace() : joined;
  const int host = route_socket(), there = route_socket_in(namespace);
  const int index = (int)check(index_of(host, name), "SIOCGIFINDEX", name);
  // Before anything is moved: the kernel would move the device, and only then refuse the name.
  const char *wanted = *new_name == '\0' ? name : new_name;
  if (index_of(there, wanted) >= 0) fail("RTM_NEWLINK", -EEXIST, wanted);
  int new_index = index;
  while (is_taken(there, new_index)) new_index++;
  addresses.length = 0;
  list_addresses(host, index, &addresses, name);
  move_link(host, index, namespace, new_name, new_index, name);
  for (uint32_t at = 0; at < addresses.length;) {
    const struct nlmsghdr *known = (const struct nlmsghdr *)(addresses.bytes + at);
    give_address(there, known, new_index, name);
    at += NLMSG_ALIGN(known->nlmsg_len);
  }
  set_up(there, new_index, name);
  sys(__NR_close, host);
  sys(__NR_close, there);
  if (joined < 0) sys(__NR_close, namespace);
}
