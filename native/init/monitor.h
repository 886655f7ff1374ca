// What the monitor's parts share. One process, one container, everything static.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "init/message.h"

#define CLIENTS_MAX 32
#define CLIENTS_POLLED (CLIENTS_MAX + 1)

struct exit_facts {
  uint32_t code;
  uint32_t signal;
  uint32_t oom_kills;
  uint32_t reserved;
  uint64_t finished_ns;
};

struct monitor {
  int directory;
  int listener;
  int input;     // the container's stdin, or -1
  int terminal;  // pty master, or -1: then it is input and output
  bool input_once;
};

extern struct monitor monitor;

// clients.c
struct pollfd;
unsigned clients_poll(struct pollfd *polled);  // fills CLIENTS_POLLED entries
bool clients_full(void);  // the next one waits in the socket's queue: to be sent away would look like our end
void clients_serve(const struct pollfd *polled);
void clients_accept(void);
void clients_output(uint8_t type, const char *bytes, size_t count);
void clients_end(const struct exit_facts *facts);

// exit.c
// The kernel's siginfo_t, as waitid fills it.
struct wait_facts {
  int signal, error, code, padding;
  int pid;
  uint32_t uid;
  int status;
  int rest[25];
};

struct exit_facts exit_facts_of(int pidfd, int oom_file);
long exit_record(const struct exit_facts *facts);
