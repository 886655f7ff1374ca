// Put in front of sources of keelson-init that are built with the address sanitizer: what the kernel reads and writes is
// looked at as well, since the stubs make their system calls without the library whose calls it watches.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h> // beside the library, the kernel's header keeps the file types to itself

#include "init/message.h"
#include "init/syscall.h"

void *__asan_region_is_poisoned(void *begin, size_t size);

static inline void check_memory(long number, long at, long size) {
  if (size <= 0 || __asan_region_is_poisoned((void *)at, (size_t)size) == NULL) return;
  fprintf(stderr, "system call %ld reaches beyond its memory: %ld bytes\n", number, size);
  abort();
}

struct checked_message {
  void *name;
  uint32_t name_length;
  struct io_vector *vectors;
  size_t vector_count;
  void *control;
  size_t control_length;
  uint32_t flags;
};

static inline void check_message(long number, const struct checked_message *message) {
  for (size_t i = 0; i < message->vector_count; i++)
    check_memory(number, (long)message->vectors[i].base, (long)message->vectors[i].length);
  check_memory(number, (long)message->control, (long)message->control_length);
}

static inline long checked_syscall(long number, long a, long b, long c, long d, long e, long f) {
  switch (number) {
    case __NR_read:
    case __NR_write:
    case __NR_pread64:
    case __NR_recvfrom:
    case __NR_getdents64:
    case __NR_readlinkat:
      check_memory(number, number == __NR_readlinkat ? c : b, number == __NR_readlinkat ? d : c);
      break;
    case __NR_recvmsg:
    case __NR_sendmsg:
      check_message(number, (const struct checked_message *)b);
  }
  return syscall6(number, a, b, c, d, e, f);
}
#define syscall6 checked_syscall
