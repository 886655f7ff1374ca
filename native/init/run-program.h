// One program beside the plan, run to its end: hooks, newuidmap.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "init/linux.h"

// The end of what it writes to standard error is kept: a program that floods costs this much and no more.
#define PROGRAM_ERRORS_MAX 3072
#define PROGRAM_WATCHED 2

struct slice {
  const char *at;
  size_t length;
};

struct program_request {
  const char *path;
  const char *const *arguments;  // with argv[0], ended by NULL
  const char *const *environment;
  struct slice input[3];    // its standard input, one after the other
  const char *directory;    // NULL: ours
  int directory_fd;         // instead of it, or -1
  int output;               // -1: /dev/null, which is descriptor 0 of keelson-init
  int errors;               // -1: captured
  uint64_t timeout_ms;      // 0: none
  struct pollfd watched[PROGRAM_WATCHED];  // an event ends the program; fd -1: none
  void (*prepare)(const void *argument);   // in the program's process, last before it
  const void *argument;
};

enum program_end {
  PROGRAM_EXITED,    // value: exit code
  PROGRAM_KILLED,    // value: signal
  PROGRAM_LATE,      // killed after its time
  PROGRAM_REFUSED,   // value: errno, of `call`: it never ran
  PROGRAM_ABANDONED  // value: which of `watched`
};

struct program_result {
  enum program_end end;
  uint32_t value;
  char call[28];
  char errors[PROGRAM_ERRORS_MAX];
  size_t errors_length;
};

void run_program(const struct program_request *request, struct program_result *result);
