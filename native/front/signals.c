#include <stddef.h>

#include "front/front.h"
#include "front/signals.generated.h"
#include "init/memory.h"
#include "init/process.h"

#define REAL_TIME_MIN 34  // glibc keeps 32 and 33 for itself
#define REAL_TIME_MAX 64

static const struct {
  int number;
  const char *name;
} signals[] = {
#define X(number, name) {number, #name},
    SIGNALS(X)
#undef X
};

static char upper(char c) { return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c; }

// The rest of `text` after `start`, whatever the case; NULL when it begins otherwise.
static const char *after(const char *text, const char *start) {
  for (; *start != '\0'; start++, text++)
    if (upper(*text) != *start) return NULL;
  return text;
}

// 0 to 64 in at most two digits; -1 otherwise.
static int small_number(const char *text) {
  uint64_t number;
  const char *end = number_at(text, &number);
  return end == text || *end != '\0' || end - text > 2 || number > REAL_TIME_MAX ? -1 : (int)number;
}

static int real_time(const char *text, int base) {
  const int sign = *text == '+' ? 1 : -1;
  if (*text == '\0') return base;
  if (*text != '+' && *text != '-') return -1;
  const int offset = small_number(text + 1);
  const int number = base + sign * offset;
  return offset < 0 || number < REAL_TIME_MIN || number > REAL_TIME_MAX ? -1 : number;
}

int signal_number(const char *text) {
  if (*text >= '0' && *text <= '9') return small_number(text);
  const char *bare = after(text, "SIG");
  if (bare == NULL) bare = text;
  const char *rest = after(bare, "RTMIN");
  if (rest != NULL) return real_time(rest, REAL_TIME_MIN);
  rest = after(bare, "RTMAX");
  if (rest != NULL) return real_time(rest, REAL_TIME_MAX);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    const char *end = after(bare, signals[i].name);
    if (end != NULL && *end == '\0') return signals[i].number;
  }
  return -1;
}
