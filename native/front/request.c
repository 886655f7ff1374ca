// The first message to the compile service: what this command was given, and what of its process only it can know.
// Texts, each ending with NUL; src/cli/oci/compile-service/request.ts reads them.
#include <stddef.h>

#include "front/request.h"
#include "front/front.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/syscall.h"

#define RLIMIT_FILES 7

static void end_text(struct text *text) { text_add_count(text, "", 1); }

static void add_text(struct text *text, const char *more) {
  text_add(text, more);
  end_text(text);
}

static void add_number(struct text *text, uint64_t number) {
  text_add_padded(text, number, 1);
  end_text(text);
}

static bool add_file(struct text *text, const char *path) {
  const long length = read_file(path, text->at + text->length, text->size - text->length);
  if (length < 0) return false;
  text->length += (size_t)length;
  end_text(text);
  return true;
}

// The id of the build that this program belongs to (scripts/bundle.mjs).
bool read_build(char *build, size_t size) {
  char path[PATH_BYTES];
  struct text text = {path, sizeof path, 0};
  find_root(path);
  text.length = length_of(path);
  text_add(&text, "/dist/cli/oci.build");
  const long length = read_file(path, build, size - 1);
  if (length <= 0) return false;
  build[length] = '\0';
  return find_char(build, '/') == NULL;
}

static void add_numbers(struct text *text) {
  uint64_t limit[2] = {0, 0};
  sys(__NR_prlimit64, 0, RLIMIT_FILES, 0, limit);
  add_number(text, (uint64_t)sys(__NR_getpid));
  add_number(text, (uint64_t)sys(__NR_geteuid));
  add_number(text, (uint64_t)sys(__NR_getegid));
  add_number(text, limit[0]);
  add_number(text, limit[1]);
}

static void add_list(struct text *text, char **list) {
  uint64_t count = 0;
  while (list[count] != NULL) count++;
  add_number(text, count);
  for (; *list != NULL; list++) add_text(text, *list);
}

// All of our variables that create reads; the caller's others are nobody's business.
static void add_variables(struct text *text) {
  static const char *names[] = {"USER", "XDG_RUNTIME_DIR", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
    const char *value = variable(names[i]);
    if (value == NULL) continue;
    text_add(text, names[i]);
    text_add(text, "=");
    add_text(text, value);
  }
  add_text(text, told_of_caller());
}

bool write_request(struct text *text, const char *build) {
  char folder[PATH_BYTES];
  if (sys(__NR_getcwd, folder, sizeof folder) < 0 || folder[0] != '/') return false;
  add_text(text, build);
  add_numbers(text);
  add_text(text, folder);
  if (!add_file(text, "/proc/self/uid_map") || !add_file(text, "/proc/self/cgroup")) return false;
  if (!add_file(text, "/proc/self/mountinfo")) return false;
  add_list(text, front.arguments + 1);
  add_variables(text);
  return text->length + 1 < text->size;
}
