// Namespaces of the calling thread. Everything here changes the thread: use a thread that ends with the call.
#pragma once

#include <string>

#include "kernel/fd.hpp"

namespace keelson::kernel {

// unshare(2) of these CLONE_NEW… flags, and of the file system context, which setns to a mount namespace asks for.
void unshareThread(int flags);

// setns(2). `type` is the CLONE_NEW… flag that the descriptor must be of.
void enterNamespace(int fd, int type, const std::string& name = {});

// A descriptor of the calling thread's own namespace; `kind` is its name below /proc/thread-self/ns.
Fd openOwnNamespace(const char* kind);

// True when the descriptor is a namespace of this CLONE_NEW… type (nsfs; ioctl_ns(2)).
bool isNamespace(int fd, int type);

// The CLONE_NEW… flag of the namespace that a descriptor is, 0 when it is none.
int namespaceType(int fd);

// Sets IFF_UP on `lo` of the thread's network namespace; the kernel then adds 127.0.0.1 and ::1 itself.
void raiseLoopback();

}  // namespace keelson::kernel
