// Feeds plans to the decoder of keelson-init, built with the address sanitizer: `<length><bytes>` after each other on
// stdin; one line "valid" or "refused" each. Whatever it accepts is walked to the end, as the runner would.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "init/plan.h"

size_t length_of(const char *text) { return strlen(text); }

static const char *kinds_of(uint32_t code) {
  switch (code) {
#define X(number, name, kinds) \
  case number:                 \
    return kinds;
    PLAN_OPERATIONS(X)
    PLAN_FRONT_OPERATIONS(X)
#undef X
  }
  abort();
}

static size_t touch(const struct plan *plan, const char *kind, const uint32_t *words) {
  size_t sum = 0;
  for (; *kind != '\0'; kind++) {
    if (*kind == 's') sum += strlen(plan->blob + words[0]);
    if (*kind == 'b')
      for (uint32_t i = 0; i < words[1]; i++) sum += (unsigned char)plan->blob[words[0] + i];
    if (*kind == 'l') {
      const char *item = plan->blob + words[0];
      for (uint32_t i = 0; i < words[1]; i++, item += strlen(item) + 1) sum += strlen(item);
    }
    if (*kind == 'o' && words[0] >= PLAN_SLOTS) abort();
    words += strchr("qbl", *kind) != NULL ? 2 : 1;
  }
  return sum;
}

static void walk(const struct plan *plan, const struct plan_list *list) {
  const uint32_t *words = list->words;
  volatile size_t sum = 0;
  for (uint32_t i = 0; i < list->count; i++, words += 1 + (words[0] >> 16))
    sum += touch(plan, kinds_of(words[0] & 0xffff), words + 1);
}

int main(void) {
  uint32_t length;
  while (fread(&length, sizeof length, 1, stdin) == 1) {
    char *bytes = malloc(length);  // exactly as long as the plan, so that one byte beyond is an error
    if (fread(bytes, 1, length, stdin) != length) return 2;
    struct plan plan;
    const bool valid = plan_read(bytes, length, &plan);
    if (valid) {
      walk(&plan, &plan.parent);
      walk(&plan, &plan.child);
    }
    puts(valid ? "valid" : "refused");
    free(bytes);
  }
  return 0;
}
