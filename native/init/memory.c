#include "init/memory.h"

// Every byte of a container's log passes here; the processor's own copy is many times faster than a loop of bytes.
void *memcpy(void *to, const void *from, size_t count) {
#if defined(__x86_64__)
  void *target = to;
  __asm__ volatile("rep movsb" : "+D"(target), "+S"(from), "+c"(count) : : "memory");
#else
  char *target = to;
  const char *source = from;
  while (count-- > 0) *target++ = *source++;
#endif
  return to;
}

void *memmove(void *to, const void *from, size_t count) {
  char *target = to;
  const char *source = from;
  if (target <= source) return memcpy(to, from, count);
  while (count-- > 0) target[count] = source[count];
  return to;
}

void *memset(void *to, int byte, size_t count) {
  char *target = to;
  while (count-- > 0) *target++ = (char)byte;
  return to;
}

int memcmp(const void *a, const void *b, size_t count) {
  const unsigned char *left = a;
  const unsigned char *right = b;
  for (; count > 0; count--, left++, right++)
    if (*left != *right) return *left - *right;
  return 0;
}

size_t length_of(const char *text) {
  size_t length = 0;
  while (text[length] != '\0') length++;
  return length;
}

bool same_text(const char *a, const char *b) {
  while (*a != '\0' && *a == *b) a++, b++;
  return *a == *b;
}

const char *find_char(const char *text, char wanted) {
  for (; *text != '\0'; text++)
    if (*text == wanted) return text;
  return NULL;
}

void text_add_count(struct text *text, const char *more, size_t count) {
  for (size_t i = 0; i < count && text->length + 1 < text->size; i++) text->at[text->length++] = more[i];
  text->at[text->length] = '\0';
}

void text_add(struct text *text, const char *more) { text_add_count(text, more, length_of(more)); }

void text_add_padded(struct text *text, uint64_t number, unsigned digits) {
  char reversed[20];
  unsigned count = 0;
  for (; number > 0 && count < sizeof reversed; number /= 10) reversed[count++] = (char)('0' + number % 10);
  while (count < digits && count < sizeof reversed) reversed[count++] = '0';
  while (count > 0) text_add_count(text, &reversed[--count], 1);
}

void text_add_number(struct text *text, int64_t number) {
  if (number < 0) text_add(text, "-");
  text_add_padded(text, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, 1);
}
