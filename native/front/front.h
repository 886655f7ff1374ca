// keelson-oci as it is started: a small program without libc. It knows no policy: start, state, kill and delete were
// decided when the container was made (src/oci/compile/verbs.ts) and lie recorded beside its state; what create does
// is decided by a running keelson process of the same user and build, where there is one (native/front/service.c).
// Whatever else is asked, and whatever is not exactly as it was foreseen, is handed on to Node with nothing changed. So
// it may be slower than it could be, and never wrong.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "init/plan.h"

#define PATH_BYTES 4096
#define FRONT_SLOTS 16

enum verb { VERB_NONE = 0, VERB_START = 1, VERB_STATE = 2, VERB_KILL = 3, VERB_DELETE = 4 };

// As bits, so that a plan can name several.
enum status {
  STATUS_CREATING = 1,
  STATUS_CREATED = 2,
  STATUS_RUNNING = 4,
  STATUS_PAUSED = 8,
  STATUS_STOPPED = 16,
};

struct front {
  char **arguments;    // as this program got them, its own name first
  char **environment;  // all of it; NODE_* is dropped when Node is started
  const char *root;
  const char *log;  // NULL: standard error
  int log_fd;       // where lines of the log go
  bool is_json;     // and how
  bool is_forced;   // --force
  enum verb verb;
  const char *id;
  int signal;
  int root_fd;
  int state_fd;  // the container's state directory
  int pid;
  int pidfd;
  enum status status;
  struct plan plan;             // the one that is carried out
  int slots[FRONT_SLOTS];       // descriptors that its operations filled
  int service;                  // connection to the compile service; -1 when there is none
};

extern struct front front;

// Starts Node with the same words, descriptors and environment. Everything that was opened closes by itself.
_Noreturn void hand_on(void);
// The same, with what Node needs to know to go on where we are: a variable of ours, given as NAME=VALUE.
_Noreturn void hand_on_with(const char *told);
// The same, with a connection on which keelson-init has said why the program cannot run.
_Noreturn void hand_on_answer(int connection);
_Noreturn void quit(int status);

// The folder of this package, in a buffer of PATH_BYTES.
void find_root(char *root);
// What Node could not tell any more: how many descriptors are the caller's, and its limit of them. NAME=VALUE.
const char *told_of_caller(void);

#define SNAPSHOT_OPTION_BYTES 512
#define SNAPSHOT_OPTIONS_MOST 32

// Whether the start-up snapshot `blob` is of this node and this package, and the options that node needs to start from
// it: each ends in NUL, all of them in an empty one.
bool is_snapshot_of(const char *node, const char *root, const char *blob, char options[SNAPSHOT_OPTION_BYTES]);

// Reads the command line as src/cli/parse.ts does; false for what only Node answers.
bool read_words(void);
// The number of a signal as src/oci/signals.ts reads its name; -1 for what it does not know.
int signal_number(const char *text);
const char *variable(const char *name);  // of the environment; NULL when absent

void run_verb(void);  // what was recorded for it

// Asks the compile service what this command does, and does it. Returns when there is none.
void try_service(void);

// One function per operation; `words` are its arguments as plan.h lists them.
#define X(code, name, kinds) void front_##name(const uint32_t *words);
PLAN_FRONT_OPERATIONS(X)
#undef X
void run_operation(uint32_t code, const uint32_t *words);
static inline const char *text_at(uint32_t offset) { return front.plan.blob + offset; }

void ignore_broken_pipe(void);

const char *verb_name(enum verb verb);
// Tells a failure as Node does, and ends. `code`: of KeelsonError.
_Noreturn void fail_command(const char *code, const char *message);
_Noreturn void fail_missing(void);  // there is no such container

// The whole of a file of procfs or sysfs: its length, or -errno; -EFBIG when `size` bytes do not hold it.
long read_file(const char *path, char *bytes, size_t size);

void observe(void);  // fills pid, pidfd and status
void remove_group(const char *path);
void remove_state(void);
bool is_empty_but(int directory, const char *name);
