// HOME for a program whose environment has none: the user's directory in the container's /etc/passwd, else "/".
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/path.h"
#include "init/syscall.h"

#define PASSWD_BYTES_MAX (1 << 20)  // an image may make it as long as it likes
#define LINE_BYTES 1024
#define UID_FIELD 2
#define HOME_FIELD 5

// The field of a line of fields with ':' between them; NULL when the line has fewer.
static const char *field_of(const char *line, int field, size_t *length) {
  for (; field > 0 && line != NULL; field--) {
    line = find_char(line, ':');
    if (line != NULL) line++;
  }
  if (line == NULL) return NULL;
  const char *end = find_char(line, ':');
  *length = end == NULL ? length_of(line) : (size_t)(end - line);
  return line;
}

static bool is_user(const char *line, const char *uid) {
  size_t length;
  const char *field = field_of(line, UID_FIELD, &length);
  return field != NULL && length == length_of(uid) && memcmp(field, uid, length) == 0;
}

static bool take_home(const char *line, const char *uid) {
  size_t length;
  if (!is_user(line, uid)) return false;
  const char *home = field_of(line, HOME_FIELD, &length);
  if (home == NULL || length == 0) return false;
  struct text text = {self.home, sizeof self.home, 0};
  text_add(&text, "HOME=");
  text_add_count(&text, home, length);
  return true;
}

static bool search(int file, const char *uid) {
  char line[LINE_BYTES], chunk[LINE_BYTES];
  struct text text = {line, sizeof line, 0};
  for (int total = 0; total < PASSWD_BYTES_MAX; total += LINE_BYTES) {
    const long count = sys(__NR_read, file, chunk, sizeof chunk);
    if (count <= 0) return text.length > 0 && take_home(line, uid);
    for (long i = 0; i < count; i++) {
      if (chunk[i] != '\n') {
        text_add_count(&text, &chunk[i], 1);
        continue;
      }
      text_add(&text, "");
      if (take_home(line, uid)) return true;
      text.length = 0;
      line[0] = '\0';
    }
  }
  return false;
}

// A file that is none (a pipe, a device) is never read: it could hold the container up.
void operation_findHome(const uint32_t *words) {
  char uid[16];
  struct text text = {uid, sizeof uid, 0};
  text_add_number(&text, words[0]);
  const long file = open_in_root("/etc/passwd", O_RDONLY | O_NONBLOCK, 0);
  const bool found = file >= 0 && (mode_of((int)file) & S_IFMT) == S_IFREG && search((int)file, uid);
  if (file >= 0) sys(__NR_close, file);
  if (found) return;
  text = (struct text){self.home, sizeof self.home, 0};
  text_add(&text, "HOME=/");
}
