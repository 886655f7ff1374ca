// What the operations share. One process runs one list, so the state is a single global; after clone each side has
// its own copy of it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "init/plan.h"

#define CONTROL_FD 3
#define PLAN_FD 4
#define FIRST_INHERITED_FD 5
#define PATH_BYTES 4096

// Places whose mount is remembered, because something in it is hidden later.
enum place { PLACE_PROC, PLACE_SYS, PLACES };

struct init {
  struct plan plan;
  long plan_at;
  uint64_t plan_bytes;
  int slots[PLAN_SLOTS];
  int control;       // to the starter; -1 in the child
  int sync;          // between parent and child
  int report;        // where a failure is told
  int root;          // root of the container's filesystem
  int proc;          // a procfs mount of our own that nobody can put anything over
  int places[PLACES];
  int fresh;         // the file system that was mounted last
  int masks;         // empty read-only tmpfs that masked directories share
  int listener;      // start socket
  int rest;          // cgroup.kill of a container whose end does not end its other processes by itself; or -1
  int ruleset;       // of Landlock, until it is enforced
  int child_pidfd;   // parent only
  int child_pid;     // parent only
  bool is_child;
  bool is_zygote;    // has no plan of a container
  const struct plan_list *list;  // the running list
  uint32_t step;                 // index of the running operation in it
  uint32_t skipped;              // operations after it that it took for itself
  uint32_t umask;                // what programs of ours get: the starter's, later the user's
  char program[PATH_BYTES];
  char home[PATH_BYTES];  // "HOME=…" when the plan asked for it
};

extern struct init self;

// Payload of FRAME_FAILURE; only as much of `path` as is used is sent.
struct failure {
  uint32_t side;  // 0 parent, 1 child, 2 zygote
  uint32_t step;
  uint32_t error;
  char call[28];
  char path[PATH_BYTES - 64];
};

// Reports { side, step, call, errno, path } to whoever waits, kills the child if there is one, and exits.
// `error` is a negative errno as the stubs return it.
_Noreturn void fail(const char *call, long error, const char *path);
_Noreturn void fail_with(const char *call, long error, const char *bytes, size_t length);  // any bytes as path
uint32_t describe_failure(struct failure *failure, const char *call, long error, const char *bytes, size_t length);
long check(long result, const char *call, const char *path);  // passes the result on or fails
_Noreturn void quit(int status);

// Reports as `fail` does, and goes on.
void send_failure(int socket, const char *call, long error, const char *path);

// Sends on to the starter what the child reported.
_Noreturn void forward_failure(const void *payload, uint32_t length);

void load_plan(int fd);  // maps and checks it, and closes the descriptor
void drop_plan(void);     // none of its words and texts may be used any more
void run_list(const struct plan_list *list);
// The `count` operations after the running one, by whoever calls this.
void run_following(uint32_t count);

static inline const char *text_at(uint32_t offset) { return self.plan.blob + offset; }
static inline int slot_fd(uint32_t slot) { return slot == PLAN_NO_SLOT ? -1 : self.slots[slot]; }

// One function per operation; `words` are its arguments as plan.h lists them.
#define X(code, name, kinds) void operation_##name(const uint32_t *words);
PLAN_OPERATIONS(X)
#undef X
