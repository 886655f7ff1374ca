// Facts about processes and small records in the state directory.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Fields 3 and 22 of /proc/<pid>/stat; all zero when there is no such process.
struct process_stat {
  char state;  // 'Z': it has ended and waits for its parent
  uint64_t start_ticks;
};
struct process_stat process_stat(int pid);

// Reads decimal digits; where they end.
const char *number_at(const char *text, uint64_t *number);

// Field 22 alone: with the boot id, what makes a pid mean one process for ever. 0 when it is gone.
uint64_t start_ticks(int pid);

// Writes a file of the state directory whole, by rename; fails the plan when it cannot.
void write_record(int directory, const char *name, const char *data, size_t length);
long try_write_file(int directory, const char *name, const char *data, size_t length);
long try_write_record(int directory, const char *name, const char *data, size_t length);

long receive_from_peer(uint8_t wanted, void *payload, uint32_t size, int *fd);

// Turns this process, which was just cloned, into the container's first one: it runs the child's list.
_Noreturn void begin_child(int sync);

// A string list of the plan as execve wants it, with room for one more.
const char **argument_pointers(uint32_t offset, uint32_t count);
void release_pointers(const char *const *pointers, uint32_t count);
