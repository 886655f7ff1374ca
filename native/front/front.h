// keelson-oci as it is started: a small program without libc. It knows no policy: start, state, kill and delete were
// decided when the container was made (src/oci/compile/verbs.ts) and lie recorded beside its state; whatever else is
// asked, and whatever is not exactly as it was foreseen, is handed on to Node with nothing changed. So it may be
// slower than it could be, and never wrong.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "init/plan.h"

#define PATH_BYTES 4096

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
  enum verb verb;
  const char *id;
  int signal;
  int root_fd;
  int state_fd;  // the container's state directory
  int pid;
  int pidfd;
  enum status status;
};

extern struct front front;

// Starts Node with the same words, descriptors and environment. Everything that was opened closes by itself.
_Noreturn void hand_on(void);
// The same, with a connection on which keelson-init has said why the program cannot run.
_Noreturn void hand_on_answer(int connection);
_Noreturn void quit(int status);

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

void observe(void);  // fills pid, pidfd and status
void remove_group(const char *path);
void remove_state(void);
