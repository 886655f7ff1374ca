// A child in a user namespace of its own that only waits, so that something can be done with the namespaces it is in.
#pragma once

#include <stdint.h>

struct waiting_child {
  int pid;
  int pidfd;
  int socket;  // the child ends when this one is closed, also by our death
};

struct waiting_child start_waiting_child(uint64_t namespaces);
void end_waiting_child(const struct waiting_child *child);

// Writes the maps of a process that is in a new user namespace. Fails the plan when the kernel refuses them.
void write_maps(int pid, const char *users, uint32_t user_bytes, const char *groups, uint32_t group_bytes);
