// Node on the command line's bundle. It reads its NODE_* variables before any of our code (one of them costs 47 ms a
// start, others load code), and they are the caller's, not ours: every one is dropped.
#include <stddef.h>

#include "front/front.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/syscall.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define ANSWER_VARIABLE "KEELSON_OCI_ANSWER="

#define CALLER_VARIABLE "KEELSON_OCI_CALLER="
#define CREATE_VARIABLE "KEELSON_OCI_CREATE="
#define RLIMIT_FILES 7
#define NODE_FILES 24  // with fewer descriptors Node does not say what it lacks: it is aborted

static char answer[sizeof ANSWER_VARIABLE + 12];
static const char *told;
static char caller[sizeof CALLER_VARIABLE + 32];

static const char *after(const char *text, const char *start) {
  for (; *start != '\0'; start++, text++)
    if (*text != *start) return NULL;
  return text;
}

const char *variable(const char *name) {
  for (char **at = front.environment; *at != NULL; at++) {
    const char *rest = after(*at, name);
    if (rest != NULL && *rest == '=') return rest + 1;
  }
  return NULL;
}

static size_t count_of(char **list) {
  size_t count = 0;
  while (list[count] != NULL) count++;
  return count;
}

_Noreturn static void refuse(const char *what, const char *folder, const char *rest) {
  char line[PATH_BYTES + 256];
  struct text text = {line, sizeof line, 0};
  text_add(&text, "keelson-oci: start: ");
  text_add(&text, what);
  text_add(&text, folder);
  text_add(&text, rest);
  sys(__NR_write, 2, line, text.length);
  quit(1);
}

// What Node cannot tell any more: how many descriptors from 3 on are the caller's (it marks all of them close-on-exec),
// and the caller's soft limit of them (it raises its own).
const char *told_of_caller(void) {
  struct text text = {caller, sizeof caller, 0};
  uint64_t limit[2] = {0, 0};
  int fd = 3;
  while (sys(__NR_fcntl, fd, F_GETFD, 0) == 0) fd++;
  sys(__NR_prlimit64, 0, RLIMIT_FILES, 0, limit);
  if (limit[1] < (uint64_t)fd - 3 + NODE_FILES) refuse("too few open files are allowed (raise the hard limit of `ulimit -n`)\n", "", "");
  text_add(&text, CALLER_VARIABLE);
  text_add_number(&text, fd - 3);
  text_add(&text, ":");
  text_add_padded(&text, limit[0], 1);
  return caller;
}

// Node reads the snapshot into memory and copies it there: in large pages, and without giving either back in between,
// that is a third of the page faults of a start. Only for Node, and only where the caller has no wishes of its own.
#define ALLOCATOR_VARIABLE "GLIBC_TUNABLES"
#define ALLOCATOR_WISHES ALLOCATOR_VARIABLE "=glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=67108864"

static bool is_ours(const char *entry) {
  return after(entry, ANSWER_VARIABLE) != NULL || after(entry, CALLER_VARIABLE) != NULL ||
         after(entry, CREATE_VARIABLE) != NULL;
}

// `kept` has room for all of the environment and what we add.
static void keep_variables(const char **kept) {
  for (char **at = front.environment; *at != NULL; at++)
    if (after(*at, "NODE_") == NULL && !is_ours(*at)) *kept++ = *at;
  *kept++ = told_of_caller();
  if (variable(ALLOCATOR_VARIABLE) == NULL) *kept++ = ALLOCATOR_WISHES;
  if (told != NULL) *kept++ = told;
  *kept = NULL;
}

// Where this program's package lies: a link to it, as npm makes one, leads there all the same.
void find_root(char *root) {
  const long length = sys(__NR_readlinkat, AT_FDCWD, "/proc/self/exe", root, PATH_BYTES - 64);
  if (length <= 0) refuse("/proc is not mounted\n", "", "");
  long end = length;
  for (int parts = 0; parts < 2; parts++)
    while (end > 0 && root[--end] != '/') continue;
  root[end] = '\0';
}

static void join(char *path, const char *root, const char *name) {
  struct text text = {path, PATH_BYTES, 0};
  text_add(&text, root);
  text_add(&text, name);
}

// From the snapshot where there is one for this node, else on the bundle. Returns when it cannot be run.
static void execute_node(const char *node, const char *root, const char **environment) {
  char bundle[PATH_BYTES], blob[PATH_BYTES], options[SNAPSHOT_OPTION_BYTES];
  const size_t count = count_of(front.arguments);
  const char *arguments[count + SNAPSHOT_OPTIONS_MOST + 6];
  size_t at = 0;
  join(bundle, root, "/dist/cli/oci-main.cjs");
  join(blob, root, "/dist/cli/oci.blob");
  arguments[at++] = "node";
  if (is_snapshot_of(node, root, blob, options)) {
    for (const char *one = options; *one != '\0' && at <= SNAPSHOT_OPTIONS_MOST; one += length_of(one) + 1)
      arguments[at++] = one;
    arguments[at++] = "--snapshot-blob";
    arguments[at++] = blob;
    arguments[at++] = "--";
  } else {
    arguments[at++] = bundle;
  }
  for (size_t i = 1; i <= count; i++) arguments[at++] = front.arguments[i];  // with the NULL at their end
  sys(__NR_execve, node, arguments, environment);
}

// The first `node` of PATH that can be run, as a shell would find it.
static void find_node(const char *root, const char **environment) {
  const char *path = variable("PATH");
  char node[PATH_BYTES];
  for (const char *at = path == NULL ? DEFAULT_PATH : path; at != NULL;) {
    struct text text = {node, sizeof node, 0};
    const char *end = find_char(at, ':');
    text_add_count(&text, at, end == NULL ? length_of(at) : (size_t)(end - at));
    text_add(&text, text.length == 0 ? "node" : "/node");
    execute_node(node, root, environment);
    at = end == NULL ? NULL : end + 1;
  }
}

void hand_on(void) {
  char root[PATH_BYTES], bundle[PATH_BYTES];
  const char *environment[count_of(front.environment) + 4];
  find_root(root);
  join(bundle, root, "/dist/cli/oci-main.cjs");
  if (sys(__NR_faccessat, AT_FDCWD, bundle, 0) < 0)
    refuse("the command line is not built (run `npm run build` in ", root, ")\n");
  keep_variables(environment);
  find_node(root, environment);
  refuse("there is no node in the PATH\n", "", "");
}

void hand_on_with(const char *variable) {
  told = variable;
  hand_on();
}

void hand_on_answer(int connection) {
  struct text text = {answer, sizeof answer, 0};
  text_add(&text, ANSWER_VARIABLE);
  text_add_number(&text, connection);
  sys(__NR_fcntl, connection, F_SETFD, 0);
  hand_on_with(answer);
}
