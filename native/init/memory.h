// The few string functions a program without libc needs. The compiler emits calls to memcpy and memset by itself.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int byte, size_t count);
int memcmp(const void *a, const void *b, size_t count);

size_t length_of(const char *text);
bool same_text(const char *a, const char *b);
const char *find_char(const char *text, char wanted);  // NULL when absent

// Appends to a buffer of fixed size; what does not fit is cut off, the result always ends with NUL.
struct text {
  char *at;
  size_t size;
  size_t length;
};
void text_add(struct text *text, const char *more);
void text_add_count(struct text *text, const char *more, size_t count);
void text_add_number(struct text *text, int64_t number);
void text_add_padded(struct text *text, uint64_t number, unsigned digits);
