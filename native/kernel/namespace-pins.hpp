// The pod's namespaces as bind mounts in one mount namespace of keelson's own.
//
// In the host's mount table there are two mounts, whatever the number of pods:
//
//   <run directory>/pins       a tmpfs with private propagation, because the kernel refuses to attach a mount
//                              namespace's file where the attachment would propagate (EINVAL)
//   <run directory>/pins/mnt   that mount namespace's file; as long as it is bound here the namespace lives
//
// The mount namespace itself holds a tmpfs as root and nothing of the host, so that it keeps no host mount busy:
//
//   /<id>/network, /<id>/ipc, /<id>/uts, /<id>/pid, /<id>/user   namespace files
//   /<id>/shm                                                    a tmpfs
//
// Every function but openPin changes its thread's namespaces: use a thread that ends with the call.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernel/fd.hpp"

namespace keelson::kernel {

struct PinNamespace {
  Fd mountNamespace;
  Fd root;  // its root directory, O_PATH: a way in by openat(2) that needs no setns
};

struct PinRequest {
  std::string id;
  bool network = false;
  bool ipc = false;
  std::optional<std::string> hostname;  // present: a UTS namespace
  uint64_t shmSizeBytes = 0;            // 0: none
  uint32_t ownerUid = 0;  // root of the pod
  uint32_t ownerGid = 0;
  // Namespaces that are there already, by kind, to be pinned as they are.
  std::vector<std::pair<std::string, int>> made;
  std::vector<std::pair<std::string, std::string>> sysctls;
};

// Finds the mount namespace of this run directory or makes it.
PinNamespace openPinNamespace(const std::string& runDirectory);
// Lets go of it, and with it of all pins.
void removePinNamespace(const std::string& runDirectory);

void createPins(int mountNamespace, const PinRequest& request);
// Gives a set that was made before, with everything the request asks for, its id, hostname and further settings.
void claimPins(int root, const std::string& from, const PinRequest& request);
void removePins(int mountNamespace, const std::string& id);
// ENOENT when nothing is pinned there or what is pinned is no namespace of this type.
Fd openPin(int root, const std::string& id, const std::string& kind);
// A detached copy of the pod's /dev/shm, for move_mount(2).
Fd clonePinnedShm(int mountNamespace, const std::string& id);

}  // namespace keelson::kernel
