// How a command fails without Node: the words of src/cli/oci/report.ts, for the few failures that every caller meets.
#include <stddef.h>

#include "front/front.h"
#include "init/clock.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/syscall.h"

#define MILLISECOND_DIGITS 3  // as Date.toISOString writes it

static void add_all(struct text *text, const char *const *pieces) {
  for (; *pieces != NULL; pieces++) text_add(text, *pieces);
}

// Ids and messages of ours hold nothing that JSON would have to escape.
static void log_failure(const char *code, const char *message) {
  char line[PATH_BYTES];
  struct text text = {line, sizeof line, 0};
  const char *op = verb_name(front.verb);
  text_add(&text, front.is_json ? "{\"time\":\"" : "");
  text_add_time(&text, wall_ns(), MILLISECOND_DIGITS);
  add_all(&text, front.is_json
                     ? (const char *[]){"\",\"level\":\"error\",\"msg\":\"", op, ": ", message, "\",\"code\":\"", code,
                                        "\",\"op\":\"", op, "\",\"id\":\"", front.id, "\"}\n", NULL}
                     : (const char *[]){" error ", op, ": ", message, " code=\"", code, "\" op=\"", op, "\" id=\"",
                                        front.id, "\"\n", NULL});
  sys(__NR_write, front.log_fd, line, text.length);
}

void fail_command(const char *code, const char *message) {
  char line[PATH_BYTES];
  struct text text = {line, sizeof line, 0};
  const bool has_file = front.log != NULL && *front.log != '\0';
  ignore_broken_pipe();
  if (has_file || front.is_json) log_failure(code, message);
  add_all(&text, (const char *[]){"keelson-oci: ", verb_name(front.verb), ": ", message, "\n", NULL});
  if (has_file || !front.is_json) sys(__NR_write, 2, line, text.length);
  quit(1);
}

void fail_missing(void) {
  char line[PATH_BYTES];
  struct text text = {line, sizeof line, 0};
  add_all(&text, (const char *[]){"container ", front.id, " does not exist", NULL});
  fail_command("NOT_FOUND", line);
}
