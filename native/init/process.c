#include "init/process.h"

#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/syscall.h"

uint64_t start_ticks(int pid) {
  char path[32];
  char line[512];
  struct text text = {path, sizeof path, 0};
  text_add(&text, "/proc/");
  text_add_number(&text, pid);
  text_add(&text, "/stat");
  const long fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const long length = sys(__NR_read, fd, line, sizeof line - 1);
  sys(__NR_close, fd);
  if (length <= 0) return 0;
  line[length] = '\0';
  // The second field is the program's name in brackets and may hold anything: count from the last bracket.
  const char *at = line;
  for (const char *c = line; *c != '\0'; c++)
    if (*c == ')') at = c + 1;
  for (int field = 2; field < 22 && at != NULL; field++) at = find_char(at + (field > 2), ' ');
  if (at == NULL) return 0;
  uint64_t ticks = 0;
  for (at++; *at >= '0' && *at <= '9'; at++) ticks = ticks * 10 + (uint64_t)(*at - '0');
  return ticks;
}

long try_write_record(int directory, const char *name, const char *data, size_t length) {
  char temporary[64];
  struct text text = {temporary, sizeof temporary, 0};
  text_add(&text, name);
  text_add(&text, ".new");
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
  const long fd = sys(__NR_openat, directory, temporary, flags, 0600);
  if (fd < 0) return fd;
  const long written = sys(__NR_write, fd, data, length);
  sys(__NR_close, fd);
  if (written < 0) return written;
  if ((size_t)written != length) return -ENOSPC;
  return sys(__NR_renameat2, directory, temporary, directory, name, 0);
}

void write_record(int directory, const char *name, const char *data, size_t length) {
  check(try_write_record(directory, name, data, length), "write", name);
}
