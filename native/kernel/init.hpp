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

struct InitAnswer {
  InitFrame frame;
  Fd terminal;  // pty master that came with it
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

// Starts keelson-init; its pid. Sleeps until it was exec'ed, and where it leaves until it has.
int spawnInit(const InitRequest& request, Fd theirs);

// Has the zygote (native/init/zygote.c) carry a plan out: a copy of it answers on `theirs`. False when it is gone. Instant.
bool sendPlan(int zygote, const Fd& theirs, const std::vector<uint8_t>& plan, const std::vector<int>& inherited);

// The next frame on a control socket that is readable; type 0 at its end.
InitAnswer receiveAnswer(int control);

// Tells keelson-init that nobody wants its work any more: it takes back what it started and then answers. Instant.
void hangUp(int control);

// Nothing more is sent or received: who waits for an answer gets the end. Instant.
void shutDown(int connection);

// Connects to the start socket `name` of a state directory and asks for the start. Fails with ECONNREFUSED or ENOENT
// when nobody waits there. Instant.
Fd askStart(const std::string& directory, const std::string& name);

// What came of it, once the connection is readable: its end (type 0) when the program runs, else its failure frame.
InitFrame receiveStart(int connection);

// Connects to the socket `name` of a state directory. Fails with ECONNREFUSED or ENOENT when nobody listens. Instant.
Fd connectIn(const std::string& directory, const std::string& name);

// One frame without a payload. Never blocks: the socket is empty when it is sent.
void sendInitFrame(int control, uint8_t type);

// Reaps keelson-init; blocks until it has ended. Its exit code, or 128 + signal.
int reapInit(int pid);

}  // namespace keelson::kernel
