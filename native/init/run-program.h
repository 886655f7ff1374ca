// Runs another program and waits for it: newuidmap, hooks. It gets no descriptor of ours and none of our memory.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct program {
  const char *path;  // absolute: nothing is searched
  const char *const *arguments;    // with argv[0], ended by NULL
  const char *const *environment;  // ended by NULL
  const char *input;               // what it reads from standard input; NULL is /dev/null
  size_t input_length;
  char *output;  // gets the first bytes of its standard output and error, ended by NUL; NULL drops them
  size_t output_size;
  uint32_t timeout_ms;  // 0 waits for ever
};

// 0 to 255, or 128 + signal when a signal ended it; -ETIMEDOUT when it had to be killed; another -errno when it could
// not be run at all.
long run_program(const struct program *program);
