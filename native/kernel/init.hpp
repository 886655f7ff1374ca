// Starts keelson-init: from a sealed copy of it, with a plan, without ever forking Node.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernel/fd.hpp"

namespace keelson::kernel {

struct InitFrame {
  uint8_t type = 0;  // 0: the other side is gone
  std::vector<uint8_t> payload;
};

struct StartedInit {
  int pid = 0;
  InitFrame answer;  // the first of created, started, failure; or the end
  Fd terminal;       // pty master that came before the answer
};

struct InitRequest {
  std::string program;        // path of keelson-init
  std::vector<uint8_t> plan;  // see native/init/plan.h
  std::vector<int> inherited;  // become the plan's first slots; borrowed until the call returns
  bool leaves = false;        // the plan begins with leaveParent: the process that is started ends at once
};

// Both ends of the control socket; `theirs` goes to keelson-init.
struct ControlPair {
  Fd ours;
  Fd theirs;
};
ControlPair makeControl();

// Blocks until keelson-init answers on `control`, which stays the caller's; so it belongs on a thread of its own.
StartedInit startInit(const InitRequest& request, int control, Fd theirs);

// Tells keelson-init that nobody wants its work any more: it takes back what it started and then answers. Instant.
void hangUp(int control);

// Connects to the start socket `name` of a state directory and asks for the start. Blocks until the program runs (the
// connection just ends: type 0) or cannot (its failure frame). Fails with ECONNREFUSED or ENOENT when nobody waits there.
InitFrame startProgram(const std::string& directory, const std::string& name);

// One frame without a payload. Never blocks: the socket is empty when it is sent.
void sendInitFrame(int control, uint8_t type);

// Reaps keelson-init; blocks until it has ended. Its exit code, or 128 + signal.
int reapInit(int pid);

}  // namespace keelson::kernel
