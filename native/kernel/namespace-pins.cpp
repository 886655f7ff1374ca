#include "kernel/namespace-pins.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/error.hpp"
#include "kernel/mount.hpp"
#include "kernel/namespace.hpp"
#include "kernel/sysctl.hpp"

namespace keelson::kernel {
namespace {

struct Kind {
  const char* name;
  int type;
  const char* procName;
};

constexpr Kind kinds[] = {{"network", CLONE_NEWNET, "net"},
                          {"ipc", CLONE_NEWIPC, "ipc"},
                          {"uts", CLONE_NEWUTS, "uts"},
                          {"pid", CLONE_NEWPID, "pid"},
                          {"user", CLONE_NEWUSER, "user"}};
// What a thread may enter and leave again with its end.
constexpr int threadTypes = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
constexpr const char* shm = "shm";

std::string holderOf(const std::string& runDirectory) { return runDirectory + "/pins"; }
std::string fileOf(const std::string& runDirectory) { return holderOf(runDirectory) + "/mnt"; }

// Two daemons that start at once must not both make a namespace, of which one would be covered by the other.
Fd lock(const std::string& runDirectory) {
  const std::string path = runDirectory + "/pins.lock";
  Fd file(check(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), "open", path));
  check(::flock(file.get(), LOCK_EX), "flock", path);
  return file;
}

void makeDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) fail("mkdir", path);
}

void makeFile(const std::string& path) {
  const Fd file(check(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), "open", path));
}

Fd findMountNamespace(const std::string& path) {
  Fd found(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!found) {
    if (errno != ENOENT) fail("open", path);
    return found;
  }
  return isNamespace(found.get(), CLONE_NEWNS) ? std::move(found) : Fd();
}

void prepareHolder(const std::string& holder) {
  makeDirectory(holder);
  if (!isMountRoot(holder)) attachTree(makeTmpfs("keelson-pins", 65536, "0700").get(), holder);
  // After attaching: a mount takes on its parent's propagation when it is attached.
  makePrivate(holder, false);
}

// Leaves the thread in the host's mount namespace again: only from there can the new one be bound in the host's table.
Fd makeMountNamespace(const std::string& holder) {
  const Fd host = openOwnNamespace("mnt");
  unshareThread(CLONE_NEWNS);
  Fd made = openOwnNamespace("mnt");
  makePrivate("/", true);
  attachTree(makeTmpfs("keelson-pins", 0, "0700").get(), holder);
  keepOnlyMount(holder);
  enterNamespace(host.get(), CLONE_NEWNS);
  return made;
}

// A mount namespace may only be bound inside an older one (a cycle would never be freed), and the kernel tells older
// from newer by their ids. Recent kernels (seen with 6.18) let each CPU hand out ids from a block of its own, so that
// a namespace made later on another CPU can bear the smaller id, and the bind answers EINVAL. On the CPU where our own
// was made ids only grow: one of them must do. The affinity goes with the thread.
Fd makeBoundMountNamespace(const std::string& holder, const std::string& file) {
  cpu_set_t allowed;
  check(::sched_getaffinity(0, sizeof allowed, &allowed), "sched_getaffinity");
  for (int cpu = -1; cpu < CPU_SETSIZE; cpu++) {
    if (cpu >= 0) {
      if (!CPU_ISSET(cpu, &allowed)) continue;
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      check(::sched_setaffinity(0, sizeof one, &one), "sched_setaffinity");
    }
    Fd made = makeMountNamespace(holder);
    try {
      bindMount("/proc/self/fd/" + std::to_string(made.get()), file);
      return made;
    } catch (const SyscallFailure& failure) {
      if (failure.number != EINVAL) throw;
    }
  }
  errno = EINVAL;
  fail("mount", file);
}

void removeDirectory(const std::string& directory) {
  for (const char* name : {"network", "ipc", "uts", "pid", "user", shm}) {
    const std::string path = directory + "/" + name;
    while (detachMount(path)) {
    }
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) continue;
    if ((errno != EISDIR && errno != EPERM) || ::rmdir(path.c_str()) != 0) fail("unlink", path);
  }
  if (::rmdir(directory.c_str()) != 0 && errno != ENOENT) fail("rmdir", directory);
}

struct Tree {
  std::string name;
  Fd mount;
};

int typesOf(const PinRequest& request) {
  return (request.network ? CLONE_NEWNET : 0) | (request.ipc ? CLONE_NEWIPC : 0) |
         (request.hostname ? CLONE_NEWUTS : 0);
}

// Settings of an IPC namespace are for the root of the user namespace that owns it, and for nobody with more rights. To
// be that user for a moment is the affair of this thread alone, hence no call of libc, which would tell all others.
void writeSetting(const std::string& path, const std::string& value, uint32_t ownerUid) {
  try {
    return writeSysctl(path, value);
  } catch (const SyscallFailure& failure) {
    if (failure.number != EACCES || ownerUid == 0) throw;
  }
  check(::syscall(SYS_setresuid, -1, ownerUid, -1), "setresuid", path);
  writeSysctl(path, value);
  check(::syscall(SYS_setresuid, -1, 0, -1), "setresuid", path);
}

// A detached mount of each that is there already; for settings the thread enters those that have some.
std::vector<Tree> adoptNamespaces(const PinRequest& request) {
  std::vector<Tree> trees;
  for (const auto& [name, fd] : request.made) {
    trees.push_back({name, cloneTree("/proc/thread-self/fd/" + std::to_string(fd))});
    const int type = namespaceType(fd);
    if (!request.sysctls.empty() && (type & threadTypes) != 0) enterNamespace(fd, type, name);
  }
  return trees;
}

// Makes the namespaces as the thread's own, sets them up from inside, and takes a detached mount of each.
std::vector<Tree> makeNamespaces(const PinRequest& request) {
  const int types = typesOf(request);
  unshareThread(types);
  if (request.hostname) check(::sethostname(request.hostname->data(), request.hostname->size()), "sethostname");
  if (request.network) raiseLoopback();
  std::vector<Tree> trees = adoptNamespaces(request);
  for (const auto& [path, value] : request.sysctls) writeSetting(path, value, request.ownerUid);
  for (const Kind& kind : kinds)
    if ((types & kind.type) != 0)
      trees.push_back({kind.name, cloneTree(std::string("/proc/thread-self/ns/") + kind.procName)});
  return trees;
}

void attachPin(const Tree& tree, const std::string& path) {
  if (tree.name == shm) {
    makeDirectory(path);
  } else {
    makeFile(path);
  }
  attachTree(tree.mount.get(), path);
}

}  // namespace

PinNamespace openPinNamespace(const std::string& runDirectory) {
  makeDirectory(runDirectory);
  const Fd held = lock(runDirectory);
  const std::string file = fileOf(runDirectory);
  Fd found = findMountNamespace(file);
  if (!found) {
    prepareHolder(holderOf(runDirectory));
    makeFile(file);
    found = makeBoundMountNamespace(holderOf(runDirectory), file);
  }
  unshareThread(0);
  enterNamespace(found.get(), CLONE_NEWNS, file);
  Fd root(check(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), "open", file));
  return {std::move(found), std::move(root)};
}

void removePinNamespace(const std::string& runDirectory) {
  if (::access(runDirectory.c_str(), F_OK) != 0) return;
  const Fd held = lock(runDirectory);
  const std::string holder = holderOf(runDirectory);
  while (detachMount(fileOf(runDirectory))) {
  }
  while (detachMount(holder)) {
  }
  if (::rmdir(holder.c_str()) != 0 && errno != ENOENT) fail("rmdir", holder);
  ::unlink((runDirectory + "/pins.lock").c_str());
}

void createPins(int mountNamespace, const PinRequest& request) {
  std::vector<Tree> trees = makeNamespaces(request);
  if (request.shmSizeBytes > 0) trees.push_back({shm, makeTmpfs("shm", request.shmSizeBytes, "1777", request.ownerUid, request.ownerGid)});
  enterNamespace(mountNamespace, CLONE_NEWNS, "pins");
  const std::string directory = "/" + request.id;
  if (::mkdir(directory.c_str(), 0700) != 0) {
    if (errno != EEXIST) fail("mkdir", directory);
    removeDirectory(directory);
    check(::mkdir(directory.c_str(), 0700), "mkdir", directory);
  }
  try {
    for (const Tree& tree : trees) attachPin(tree, directory + "/" + tree.name);
  } catch (const SyscallFailure&) {
    removeDirectory(directory);
    throw;
  }
}

void claimPins(int root, const std::string& from, const PinRequest& request) {
  if (request.hostname) {
    enterNamespace(openPin(root, from, "uts").get(), CLONE_NEWUTS, "uts");
    check(::sethostname(request.hostname->data(), request.hostname->size()), "sethostname");
  }
  if (!request.sysctls.empty()) {
    enterNamespace(openPin(root, from, "network").get(), CLONE_NEWNET, "network");
    enterNamespace(openPin(root, from, "ipc").get(), CLONE_NEWIPC, "ipc");
  }
  for (const auto& [path, value] : request.sysctls) writeSysctl(path, value);
  // Last, so that whoever finds the id finds all of it. The mounts inside move with their directory.
  check(::renameat2(root, from.c_str(), root, request.id.c_str(), RENAME_NOREPLACE), "renameat2", request.id);
}

void removePins(int mountNamespace, const std::string& id) {
  unshareThread(0);
  enterNamespace(mountNamespace, CLONE_NEWNS, "pins");
  removeDirectory("/" + id);
}

Fd openPin(int root, const std::string& id, const std::string& kind) {
  const std::string path = id + "/" + kind;
  Fd pin(check(::openat(root, path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), "open", path));
  for (const Kind& known : kinds)
    if (kind == known.name && isNamespace(pin.get(), known.type)) return pin;
  throw SyscallFailure{"open", ENOENT, path};
}

Fd clonePinnedShm(int mountNamespace, const std::string& id) {
  unshareThread(0);
  enterNamespace(mountNamespace, CLONE_NEWNS, "pins");
  const std::string path = "/" + id + "/" + shm;
  if (!isMountRoot(path)) throw SyscallFailure{"open_tree", ENOENT, id + "/" + shm};
  return cloneTree(path);
}

}  // namespace keelson::kernel
