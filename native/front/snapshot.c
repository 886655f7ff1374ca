// Whether the start-up snapshot (scripts/snapshot.mjs) was made by exactly this node, for exactly this place, and with
// which options of node: all of it stands in the key beside it. V8 ends with an error on one that was made otherwise.
#include <stddef.h>

#include "front/front.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/syscall.h"

static size_t read_key(const char *blob, char *key, size_t size) {
  char path[PATH_BYTES + 8];
  struct text text = {path, sizeof path, 0};
  text_add(&text, blob);
  text_add(&text, ".key");
  const long fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  const long length = fd < 0 ? 0 : sys(__NR_read, fd, key, size);
  sys(__NR_close, fd);
  return length < 0 ? 0 : (size_t)length;
}

// The last line of the key, words apart at spaces, as words that end in NUL; an empty one ends them.
static void read_options(const char *line, size_t length, char *options) {
  for (size_t i = 0; i < length; i++) options[i] = line[i] == ' ' || line[i] == '\n' ? '\0' : line[i];
  options[length] = '\0';
}

bool is_snapshot_of(const char *node, const char *root, const char *blob, char options[SNAPSHOT_OPTION_BYTES]) {
  char key[PATH_BYTES + SNAPSHOT_OPTION_BYTES], wanted[PATH_BYTES + 128];
  struct statx status;
  const size_t length = read_key(blob, key, sizeof key);
  if (length == 0 || sys(__NR_statx, AT_FDCWD, node, 0, STATX_BASIC_STATS, &status) < 0) return false;
  struct text text = {wanted, sizeof wanted, 0};
  text_add_padded(&text, status.stx_ino, 1);
  text_add(&text, " ");
  text_add_padded(&text, status.stx_size, 1);
  text_add(&text, " ");
  text_add_padded(&text, (uint64_t)status.stx_mtime.tv_sec, 1);
  text_add_padded(&text, status.stx_mtime.tv_nsec, 9);
  text_add(&text, "\n");
  text_add(&text, root);
  text_add(&text, "\n");
  if (length <= text.length || length - text.length >= SNAPSHOT_OPTION_BYTES) return false;
  if (memcmp(key, wanted, text.length) != 0) return false;
  read_options(key + text.length, length - text.length, options);
  return true;
}
