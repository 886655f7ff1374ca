// The command line, in the syntax of Go's flag package: `-x` and `--x` are the same, a value follows after `=` or as
// the next word, options end at the first argument or at `--`. Only what a recorded verb needs is understood here.
#include <stddef.h>

#include "front/front.h"
#include "init/memory.h"
#include "init/linux.h"
#include "init/syscall.h"

#define ID_LENGTH_MAX 1024

struct option {
  const char *name;
  char letter;         // 0: none
  const char **value;  // NULL: true or false
};

static const char *log_format;

static const struct option global_options[] = {
    {"root", 0, &front.root}, {"log", 0, &front.log}, {"log-format", 0, &log_format}, {NULL, 0, NULL}};
static const struct option delete_options[] = {{"force", 'f', NULL}, {NULL, 0, NULL}};
static const struct option no_options[] = {{NULL, 0, NULL}};

static bool is_named(const struct option *option, const char *name, size_t length) {
  if (length == 1 && option->letter != 0) return name[0] == option->letter;
  return length_of(option->name) == length && memcmp(option->name, name, length) == 0;
}

static bool is_truth(const char *text) {
  return same_text(text, "true") || same_text(text, "1") || same_text(text, "false") || same_text(text, "0");
}

static bool read_force(const char *inline_value) {
  front.is_forced = inline_value == NULL || inline_value[1] == 't' || inline_value[1] == '1';
  return inline_value == NULL || is_truth(inline_value + 1);
}

// One option, whose word is **words; leaves *words at its last word.
static bool read_option(char ***words, const struct option *options) {
  const char *name = **words + 1;
  if (*name == '-') name++;
  const char *inline_value = find_char(name, '=');
  const size_t length = inline_value == NULL ? length_of(name) : (size_t)(inline_value - name);
  for (; options->name != NULL; options++) {
    if (!is_named(options, name, length)) continue;
    if (options->value == NULL) return read_force(inline_value);
    if (inline_value == NULL && *++*words == NULL) return false;
    *options->value = inline_value == NULL ? **words : inline_value + 1;
    return true;
  }
  return false;
}

static bool read_options(char ***words, const struct option *options) {
  for (; **words != NULL; (*words)++) {
    const char *word = **words;
    if (word[0] != '-' || word[1] == '\0') return true;
    if (same_text(word, "--")) {
      (*words)++;
      return true;
    }
    if (!read_option(words, options)) return false;
  }
  return true;
}

// As src/oci/create-runtime.ts: what may be a file name.
static bool is_id(const char *id) {
  size_t length = 0;
  for (; id[length] != '\0'; length++) {
    const char c = id[length];
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain && c != '_' && c != '+' && c != '.' && c != '-') return false;
  }
  return length > 0 && length <= ID_LENGTH_MAX && !same_text(id, ".") && !same_text(id, "..");
}

// `..` is taken away by Node before the kernel sees the path, which a symbolic link makes another place.
static bool is_plain_path(const char *path) {
  for (const char *at = path; *at != '\0'; at++)
    if (at[0] == '.' && at[1] == '.') return false;
  return *path != '\0';
}

const char *verb_name(enum verb verb) {
  static const char *names[] = {"", "start", "state", "kill", "delete"};
  return names[verb];
}

static enum verb verb_named(const char *name) {
  for (enum verb verb = VERB_START; verb <= VERB_DELETE; verb++)
    if (same_text(name, verb_name(verb))) return verb;
  return VERB_NONE;
}

static bool read_arguments(char **words) {
  if (words[0] == NULL || !is_id(words[0])) return false;
  front.id = *words++;
  if (front.verb == VERB_KILL) front.signal = signal_number(*words == NULL ? "TERM" : *words++);
  return *words == NULL && front.signal >= 0;
}

static bool read_globals(char ***words) {
  if (!read_options(words, global_options) || **words == NULL) return false;
  if (log_format != NULL && !same_text(log_format, "text") && !same_text(log_format, "json")) return false;
  front.is_json = log_format != NULL && same_text(log_format, "json");
  if (front.log != NULL && find_char(front.log, ':') != NULL) return false;  // may name another kind of log
  if (front.root != NULL) return is_plain_path(front.root);
  front.root = "/run/keelson-oci";
  if (sys(__NR_geteuid) != 0) return false;  // somebody else's lies in a directory of theirs
  // Who is root of a user namespace only keeps it there as well; Node tells the one from the other.
  const char *user = variable("USER");
  return variable("XDG_RUNTIME_DIR") == NULL || (user != NULL && same_text(user, "root"));
}

bool read_words(void) {
  char **words = front.arguments + 1;
  if (!read_globals(&words)) return false;
  front.verb = verb_named(*words++);
  // Somebody waits at this socket to hear that the program is ready; only Node can tell them.
  if (front.verb == VERB_START && variable("NOTIFY_SOCKET") != NULL) return false;
  return front.verb != VERB_NONE &&
         read_options(&words, front.verb == VERB_DELETE ? delete_options : no_options) && read_arguments(words);
}
