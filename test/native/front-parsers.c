// What the native front reads (native/front), made of pieces that are right and changed by chance, with the address and
// undefined behaviour sanitizers: front-parsers FIRST-SEED CASES PLAN. No file of the machine is opened and nothing is
// asked of the kernel: each open gives bytes of the case's, everything else succeeds or fails by chance.
#include "init/linux.h"

#include <setjmp.h>
#include <string.h>
#include <sys/stat.h>

#include "chance.h"

static long pretend(long number, const long *arguments);
#undef syscall6
#define syscall6(number, a, b, c, d, e, f) pretend(number, (const long[]){a, b, c, d, e, f})

#include "front/broken-pipe.c"
#include "front/create.c"
#include "front/facts.c"
#include "front/observe.c"
#include "front/report.c"
#include "front/signals.c"
#include "front/verbs.c"
#include "front/words.c"
#define read_options read_snapshot_options  // words.c has one of its own
#include "front/snapshot.c"
#include "init/message.c"
#include "init/process.c"

#define ARGUMENTS_MAX 12
#define FILES 64

struct front front;

static unsigned long current;
static unsigned long outcomes[3];
static jmp_buf end_of_case;
static char *plan_file;
static long plan_size;
static struct {
  char *bytes;
  long size, at;
} files[FILES];
static int file_count;
static void *mapped;
static char *snapshot_options;
static unsigned long snapshots;

void __asan_set_death_callback(void (*callback)(void));
static void name_case(void) { fprintf(stderr, "in case %lu\n", current); }

enum { QUIT = 1, HANDED_ON = 2 };
_Noreturn void quit(int status) { (void)status, longjmp(end_of_case, QUIT); }
_Noreturn void hand_on(void) { longjmp(end_of_case, HANDED_ON); }
_Noreturn void hand_on_answer(int connection) { (void)connection, longjmp(end_of_case, HANDED_ON); }
void remove_group(const char *path) {
  if (length_of(path) > 1u << 20) abort();
}
void remove_state(void) {}
_Noreturn void hand_on_with(const char *told) { (void)told, longjmp(end_of_case, HANDED_ON); }
bool is_empty_but(int directory, const char *name) { return (void)directory, (void)name, chance(2) == 0; }
void front_sendFile(const uint32_t *words) {
  if (length_of(text_at(words[0])) > 1u << 20) abort();
}

const char *variable(const char *name) {
  for (char **at = front.environment; *at != NULL; at++) {
    const size_t length = length_of(name);
    if (length_of(*at) > length && memcmp(*at, name, length) == 0 && (*at)[length] == '=') return *at + length + 1;
  }
  return NULL;
}

static char *changed(const char *bytes, long size, long *length) {
  char *copy = malloc((size_t)size + 1);  // exactly as long, so that one byte beyond is an error
  memcpy(copy, bytes, (size_t)size);
  *length = size;
  if (chance(3) != 0) return realloc(copy, size > 0 ? (size_t)size : 1);
  if (chance(4) == 0) *length = (long)chance((unsigned)size + 1);
  for (unsigned edits = chance(4); edits > 0 && size > 0; edits--)
    copy[chance((unsigned)size)] = (char)(chance(4) == 0 ? chance(256) : chance(6) == 0 ? 0xff : chance(8));
  return realloc(copy, (size_t)*length > 0 ? (size_t)*length : 1);
}

static const char *const texts[] = {
    "1234 98765\n", "0 1\n", "4294967296 1\n", "99999999999999999999999999 5\n", "1 ", "-1 4", "7", "7 x",
    "1234 (keelson-init) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 98765 20\n",
    "1234 (a) b) Z) R 1 2 3", "1234 (no end", "1234 )", ")", ") ", ") S", "f00f-boot-id\n",
};

// By the end of its name, what a file holds when all is as it was foreseen.
static const char *right_text(const char *name) {
  static const struct {
    const char *end, *text;
  } files_that_are_right[] = {
      {"boot_id", "f00f-boot-id\n"},
      {"pid", "1234 98765\n"},
      {"stat", "1234 (keelson-init) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 98765 20\n"},
      {".key", "3 77 0000000000\n/usr/lib/keelson\n--max-lazy --no-opt\n"},
  };
  for (unsigned i = 0; i < sizeof files_that_are_right / sizeof *files_that_are_right; i++) {
    const size_t length = length_of(name), end = length_of(files_that_are_right[i].end);
    if (length >= end && same_text(name + length - end, files_that_are_right[i].end)) return files_that_are_right[i].text;
  }
  return NULL;
}

static long open_text(const char *name) {
  const bool is_plan = same_text(name, "verbs.plan");
  const char *right = right_text(name), *text = right;
  if (right == NULL || chance(8) == 0) text = texts[chance(sizeof texts / sizeof *texts)];
  if (file_count == FILES || chance(60) == 0) return -ENOENT;
  files[file_count].bytes = is_plan ? changed(plan_file, plan_size, &files[file_count].size)
                                    : changed(text, (long)length_of(text), &files[file_count].size);
  files[file_count].at = 0;
  return 100 + file_count++;
}

static long read_text(long fd, char *bytes, long size) {
  if (fd < 100 || fd >= 100 + file_count) return -EBADF;
  const long left = files[fd - 100].size - files[fd - 100].at;
  const long count = size < left ? size : left;
  memcpy(bytes, files[fd - 100].bytes + files[fd - 100].at, (size_t)count);
  files[fd - 100].at += count;
  return count;
}

static long any_result(void) {
  static const long results[] = {0, 0, 0, 0, -ENOENT, -EINVAL, -ESRCH, -EINTR, 1};
  return results[chance(sizeof results / sizeof *results)];
}

static long pretend(long number, const long *arguments) {
  const long a = arguments[0], b = arguments[1], c = arguments[2];
  switch (number) {
    case __NR_openat:
      return chance(40) == 0 ? -ENOENT : open_text((const char *)b);
    case __NR_statx: {
      struct statx *status = (struct statx *)arguments[4];
      *status = (struct statx){.stx_nlink = chance(3), .stx_ino = chance(9), .stx_size = 77};
      if (a >= 100 && a < 100 + file_count) status->stx_size = (uint64_t)files[a - 100].size;
      return chance(40) == 0 ? -ENOENT : 0;
    }
    case __NR_mmap: {
      const long fd = arguments[4];
      if (fd < 100 || fd >= 100 + file_count || b <= 0) return -EINVAL;
      mapped = malloc((size_t)b);
      memcpy(mapped, files[fd - 100].bytes, (size_t)b);
      return (long)mapped;
    }
    case __NR_read:
      return read_text(a, (char *)b, c);
    case __NR_write:
      return chance(4) == 0 ? -EAGAIN : chance(9) == 0 ? -EPIPE : 1 + (long)chance((unsigned)c);
    case __NR_readlinkat: {
      static const char link[] = "/memfd:keelson-init (deleted)";
      const long length = (long)chance(sizeof link), count = length < arguments[3] ? length : arguments[3];
      memcpy((char *)c, link, (size_t)count);
      return count;
    }
    case __NR_socket:
    case __NR_pidfd_open:
      return chance(16) == 0 ? -ESRCH : 99;
    case __NR_sendmsg:
      return chance(2) == 0 ? 8 : -EPIPE;
    case __NR_geteuid:
      return chance(4) == 0;
    default:
      return any_result();
  }
}

static const char *const words[] = {
    "start", "state", "kill", "delete", "create", "--root", "--root=/run/x", "-root", "/run/keelson", "--log",
    "--log=/l", "--log-format", "json", "--log-format=text", "--force", "-f", "--force=true", "-f=0", "--", "-", "",
    "box", "..", ".", "a/b", "KILL", "SIGTERM", "9", "-9", "64", "65", "RTMIN+3", "SIGRTMAX-2", "RTMIN+", "RTMAX+99",
    "=", "--=", "---", "--root=", "--a=b=c",
};

static char *word(void) {
  const char *text = words[chance(sizeof words / sizeof *words)];
  const size_t size = chance(50) == 0 ? 1000 + chance(4000) : length_of(text);
  char *copy = malloc(size + 1);
  for (size_t i = 0; i < size; i++) copy[i] = size > 999 ? 'x' : text[i];
  if (size > 0 && chance(6) == 0) copy[chance((unsigned)size)] = (char)(1 + chance(255));
  copy[size] = '\0';
  return copy;
}

// Each list is as long as it is, so that one beyond its NULL is an error.
static char **word_list(unsigned count, const char *first) {
  char **list = malloc((count + 1) * sizeof *list);
  for (unsigned i = 0; i < count; i++) list[i] = word();
  if (first != NULL && count > 0) free(list[0]), list[0] = strdup(first);
  list[count] = NULL;
  return list;
}

static void free_list(char **list) {
  for (char **at = list; *at != NULL; at++) free(*at);
  free(list);
}

static void run_case(void) {
  front.arguments = word_list(1 + chance(ARGUMENTS_MAX), "keelson-oci");
  front.environment = word_list(chance(4), chance(2) == 0 ? "XDG_RUNTIME_DIR=/x" : "USER=root");
  const int how = setjmp(end_of_case);
  if (how == 0) {
    // Half of the cases have words that are right, so that more than words is read.
    if (chance(2) == 0 && !read_words()) hand_on();
    if (front.verb == VERB_NONE) {
      front.verb = (enum verb)(1 + chance(4));
      front.root = "/run/x", front.id = "box", front.log = chance(2) == 0 ? NULL : "/log";
    }
    char root[] = "/usr/lib/keelson", node[] = "/usr/bin/node", blob[] = "/usr/lib/keelson/oci.blob";
    snapshot_options = malloc(SNAPSHOT_OPTION_BYTES);
    snapshots += is_snapshot_of(node, root, blob, snapshot_options);
    run_verb();
  }
  outcomes[how]++;
  free_list(front.arguments);
  free_list(front.environment);
  for (int i = 0; i < file_count; i++) free(files[i].bytes);
  free(mapped);
  free(snapshot_options);
  file_count = 0;
  mapped = snapshot_options = NULL;
  front = (struct front){0};
  output.length = 0;
  log_format = NULL;
}

static void read_plan_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) exit(2);
  plan_file = malloc(1 << 16);
  plan_size = (long)fread(plan_file, 1, 1 << 16, file);
  fclose(file);
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  const unsigned long first = strtoul(arguments[1], NULL, 10), cases = strtoul(arguments[2], NULL, 10);
  __asan_set_death_callback(name_case);
  read_plan_file(arguments[3]);
  for (current = first; current < first + cases; current++) {
    begin_case(current);
    run_case();
  }
  free(plan_file);
  printf("%lu cases: %lu carried out, %lu handed on, %lu snapshots\n", cases, outcomes[0] + outcomes[QUIT], outcomes[HANDED_ON], snapshots);
  return 0;
}
