// Written by scripts/signal-names.mjs; do not edit.
#pragma once

#define SIGNALS(X) \
  X(1, HUP) \
  X(2, INT) \
  X(3, QUIT) \
  X(4, ILL) \
  X(5, TRAP) \
  X(6, ABRT) \
  X(6, IOT) \
  X(7, BUS) \
  X(8, FPE) \
  X(9, KILL) \
  X(10, USR1) \
  X(11, SEGV) \
  X(12, USR2) \
  X(13, PIPE) \
  X(14, ALRM) \
  X(15, TERM) \
  X(17, CHLD) \
  X(16, STKFLT) \
  X(18, CONT) \
  X(19, STOP) \
  X(20, TSTP) \
  X(21, TTIN) \
  X(22, TTOU) \
  X(23, URG) \
  X(24, XCPU) \
  X(25, XFSZ) \
  X(26, VTALRM) \
  X(27, PROF) \
  X(28, WINCH) \
  X(29, IO) \
  X(29, POLL) \
  X(30, PWR) \
  X(31, SYS)
