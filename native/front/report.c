// How a command fails without Node: the words of src/cli/oci/report.ts, for the few failures that every caller meets.
#include <stddef.h>

#include "front/front.h"
#include "init/clock.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/syscall.h"

#define NS_PER_SECOND 1000000000u
#define SECONDS_PER_DAY 86400u

// The proleptic Gregorian calendar in years that begin in March, so that a leap day is the last of its year.
static void add_date(struct text *text, uint64_t days) {
  const uint64_t shifted = days + 719468, era = shifted / 146097, day = shifted % 146097;
  const uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
  const uint64_t of_year = day - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
  text_add_padded(text, year + era * 400 + (month >= 10), 4);
  text_add(text, "-");
  text_add_padded(text, month < 10 ? month + 3 : month - 9, 2);
  text_add(text, "-");
  text_add_padded(text, of_year - (153 * month + 2) / 5 + 1, 2);
}

// As Date.toISOString does.
static void add_time(struct text *text) {
  const uint64_t now = wall_ns(), seconds = now / NS_PER_SECOND, of_day = seconds % SECONDS_PER_DAY;
  add_date(text, seconds / SECONDS_PER_DAY);
  text_add(text, "T");
  text_add_padded(text, of_day / 3600, 2);
  text_add(text, ":");
  text_add_padded(text, of_day / 60 % 60, 2);
  text_add(text, ":");
  text_add_padded(text, of_day % 60, 2);
  text_add(text, ".");
  text_add_padded(text, now / 1000000 % 1000, 3);
  text_add(text, "Z");
}

static void add_all(struct text *text, const char *const *pieces) {
  for (; *pieces != NULL; pieces++) text_add(text, *pieces);
}

// Ids and messages of ours hold nothing that JSON would have to escape.
static void log_failure(const char *code, const char *message) {
  char line[PATH_BYTES];
  struct text text = {line, sizeof line, 0};
  const char *op = verb_name(front.verb);
  text_add(&text, front.is_json ? "{\"time\":\"" : "");
  add_time(&text);
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
