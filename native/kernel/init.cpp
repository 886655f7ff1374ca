#include "kernel/init.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cstring>
#include <mutex>

#include "init/message.h"
#include "kernel/error.hpp"
#include "kernel/mount.hpp"

namespace keelson::kernel {
namespace {

constexpr int kControlFd = 3;
constexpr int kFirstInheritedFd = 5;
constexpr int kRestOfFrameMs = 1000;
constexpr size_t kChildStackBytes = 64 * 1024;
// Linux 6.3; older kernels refuse these flags and need none.
constexpr unsigned kNoexecSeal = 0x8;  // MFD_NOEXEC_SEAL
constexpr unsigned kExec = 0x10;       // MFD_EXEC

int makeMemfd(const char* name, unsigned flags, unsigned newer) {
  const int fd = ::memfd_create(name, MFD_CLOEXEC | flags | newer);
  return fd < 0 && errno == EINVAL ? ::memfd_create(name, MFD_CLOEXEC | flags) : fd;
}

// Where vm.memfd_noexec forbids programs in memory: the file itself by a mount of its own, which nobody else has and
// which cannot be written through.
int readOnlyClone(const std::string& path) {
  Fd tree = cloneTree(path);
  makeReadOnly(tree.get());
  return tree.release();
}

// Nobody can write to a sealed copy, so a container that reaches our executable reaches nothing (CVE-2019-5736).
int sealedCopy(const std::string& path) {
  Fd source(check(::open(path.c_str(), O_RDONLY | O_CLOEXEC), "open", path));
  struct stat status {};
  check(::fstat(source.get(), &status), "fstat", path);
  const int memory = makeMemfd("keelson-init", MFD_ALLOW_SEALING, kExec);
  if (memory < 0 && errno == EACCES) return readOnlyClone(path);
  Fd copy(check(memory, "memfd_create", path));
  for (off_t left = status.st_size; left > 0;) {
    const ssize_t copied = check(::sendfile(copy.get(), source.get(), nullptr, static_cast<size_t>(left)), "sendfile", path);
    if (copied == 0) {  // it is being replaced
      errno = ESTALE;
      fail("sendfile", path);
    }
    left -= copied;
  }
  check(::fcntl(copy.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), "fcntl", path);
  return copy.release();
}

int programFd(const std::string& path) {
  static std::mutex mutex;
  static int fd = -1;
  const std::lock_guard<std::mutex> lock(mutex);
  if (fd < 0) fd = sealedCopy(path);
  return fd;
}

Fd planFd(const std::vector<uint8_t>& plan) {
  Fd fd(check(makeMemfd("keelson-plan", 0, kNoexecSeal), "memfd_create", "keelson-plan"));
  for (size_t written = 0; written < plan.size();)
    written += static_cast<size_t>(check(::write(fd.get(), plan.data() + written, plan.size() - written), "write", "plan"));
  check(::lseek(fd.get(), 0, SEEK_SET), "lseek", "plan");
  return fd;
}

// Everything the child needs, made before: it shares our memory and may only make system calls.
struct Launch {
  int program;
  std::vector<int> wanted;   // what becomes 0, 1, 2, …
  std::vector<int> staged;   // room for the copies above that range
  int failure = 0;
};

// Two rounds, because a source may lie where another target goes: first copies above the range, then into place.
int arrangeAndExec(void* argument) {
  auto* launch = static_cast<Launch*>(argument);
  const int count = static_cast<int>(launch->wanted.size());
  const int program = ::fcntl(launch->program, F_DUPFD_CLOEXEC, count);
  bool placed = program >= 0;
  for (int i = 0; i < count && placed; i++)
    placed = (launch->staged[i] = ::fcntl(launch->wanted[i], F_DUPFD_CLOEXEC, count)) >= 0;
  for (int i = 0; i < count && placed; i++) placed = ::dup2(launch->staged[i], i) >= 0;
  if (placed) {
    // Whatever this process opened without O_CLOEXEC stays behind; the program itself closes on exec.
    ::syscall(SYS_close_range, count, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */);
    const char* arguments[] = {"keelson-init", nullptr};
    const char* environment[] = {nullptr};
    ::syscall(SYS_execveat, program, "", arguments, environment, AT_EMPTY_PATH);
  }
  launch->failure = errno;
  ::_exit(127);
}

struct BlockedSignals {
  sigset_t before;
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
  }
  ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before, nullptr); }
};

// exit_signal 0: libuv never hears of this child, and it is reaped with __WALL.
int spawn(Launch& launch) {
  const BlockedSignals blocked;
  std::vector<char> stack(kChildStackBytes);
  char* top = stack.data() + (stack.size() & ~size_t{15});
  top -= reinterpret_cast<uintptr_t>(top) & 15;
  const int pid = check(::clone(arrangeAndExec, top, CLONE_VM | CLONE_VFORK, &launch), "clone", "keelson-init");
  if (launch.failure == 0) return pid;
  reapInit(pid);
  errno = launch.failure;
  fail("execveat", "keelson-init");
}

// A frame comes as a whole; only a long one in pieces, or one whose sender dies meanwhile.
bool isMoreComing(int socket) {
  pollfd polled{socket, POLLIN, 0};
  return ::poll(&polled, 1, kRestOfFrameMs) > 0;
}

bool receiveExact(int socket, void* buffer, size_t size, Fd& attached) {
  auto* at = static_cast<char*>(buffer);
  while (size > 0) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    iovec vector{at, size};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t count = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (count < 0 && (errno == EINTR || (errno == EAGAIN && isMoreComing(socket)))) continue;
    if (count <= 0) return false;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_type != SCM_RIGHTS) continue;
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
      attached.reset(fd);
    }
    at += count;
    size -= static_cast<size_t>(count);
  }
  return true;
}

InitFrame receiveFrame(int socket, Fd& attached) {
  frame header{};
  if (!receiveExact(socket, &header, sizeof header, attached)) return {};
  if (header.version != FRAME_VERSION || header.length > FRAME_PAYLOAD_MAX) return {};
  InitFrame result{header.type, std::vector<uint8_t>(header.length)};
  if (!receiveExact(socket, result.payload.data(), header.length, attached)) return {};
  return result;
}

}  // namespace

ControlPair makeControl() {
  int pair[2];
  check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
  return {Fd(pair[0]), Fd(pair[1])};
}

int spawnInit(const InitRequest& request, Fd theirs) {
  const Fd plan = planFd(request.plan);
  const Fd null(check(::open("/dev/null", O_RDWR | O_CLOEXEC), "open", "/dev/null"));
  Launch launch{programFd(request.program), {null.get(), null.get(), null.get(), theirs.get(), plan.get()}, {}};
  static_assert(kControlFd == 3 && kFirstInheritedFd == 5);
  launch.wanted.insert(launch.wanted.end(), request.inherited.begin(), request.inherited.end());
  launch.staged.resize(launch.wanted.size());
  const int pid = spawn(launch);
  if (request.leaves) reapInit(pid);
  return pid;
}

bool sendPlan(int zygote, const Fd& theirs, const std::vector<uint8_t>& plan, const std::vector<int>& inherited) {
  const Fd planned = planFd(plan);
  std::vector<int> fds{theirs.get(), planned.get()};
  fds.insert(fds.end(), inherited.begin(), inherited.end());
  frame header{FRAME_VERSION, FRAME_PLAN, 0, 0};
  iovec vector{&header, sizeof header};
  std::vector<char> attached(CMSG_SPACE(fds.size() * sizeof(int)));
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = attached.data();
  message.msg_controllen = attached.size();
  cmsghdr* rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
  if (::sendmsg(zygote, &message, MSG_NOSIGNAL) >= 0) return true;
  if (errno != EPIPE && errno != ECONNRESET) fail("sendmsg", "zygote");
  return false;
}

InitAnswer receiveAnswer(int control) {
  InitAnswer answer;
  answer.frame = receiveFrame(control, answer.terminal);
  return answer;
}

void hangUp(int control) { ::shutdown(control, SHUT_WR); }

void shutDown(int connection) { ::shutdown(connection, SHUT_RDWR); }

Fd connectIn(const std::string& directory, const std::string& name) {
  // By way of the directory's descriptor: an address holds 107 bytes and state roots may be longer.
  const Fd folder(check(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), "open", directory));
  const std::string path = "/proc/self/fd/" + std::to_string(folder.get()) + "/" + name;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  // A full backlog answers EAGAIN instead of holding the caller up.
  Fd connection(check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
  check(::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "connect", name);
  return connection;
}

Fd askStart(const std::string& directory, const std::string& name) {
  Fd connection = connectIn(directory, name);
  sendInitFrame(connection.get(), FRAME_START);
  return connection;
}

InitFrame receiveStart(int connection) {
  // A reset is not an end: whoever listened was gone before it took us.
  char first;
  check(::recv(connection, &first, sizeof first, MSG_PEEK), "recv", "start.sock");
  Fd none;
  return receiveFrame(connection, none);
}

void sendInitFrame(int control, uint8_t type) {
  const frame header{FRAME_VERSION, type, 0, 0};
  check(::send(control, &header, sizeof header, MSG_NOSIGNAL), "send", "control");
}

int reapInit(int pid) {
  int status = 0;
  while (::waitpid(pid, &status, __WALL) < 0)
    if (errno != EINTR) fail("waitpid", std::to_string(pid));
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace keelson::kernel
