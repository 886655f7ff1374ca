#include "init/process.h"

#include "init/linux.h"
#include "init/memory.h"
#include "init/syscall.h"

uint64_t start_ticks(int pid) { return process_stat(pid).start_ticks; }

struct process_stat process_stat(int pid) {
  char path[32];
  char line[512];
  struct process_stat stat = {0};
  struct text text = {path, sizeof path, 0};
  text_add(&text, "/proc/");
  text_add_number(&text, pid);
  text_add(&text, "/stat");
  const long fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return stat;
  const long length = sys(__NR_read, fd, line, sizeof line - 1);
  sys(__NR_close, fd);
  if (length <= 0) return stat;
  line[length] = '\0';
  // The second field is the program's name in brackets and may hold anything: count from the last bracket.
  const char *at = line;
  for (const char *c = line; *c != '\0'; c++)
    if (*c == ')') at = c + 1;
  if (at[0] != ' ' || at[1] == '\0') return stat;
  stat.state = at[1];
  for (int field = 2; field < 22 && at != NULL; field++) at = find_char(at + (field > 2), ' ');
  if (at != NULL) number_at(at + 1, &stat.start_ticks);
  return stat;
}

const char *number_at(const char *text, uint64_t *number) {
  for (*number = 0; *text >= '0' && *text <= '9'; text++) *number = *number * 10 + (uint64_t)(*text - '0');
  return text;
}

long try_write_file(int directory, const char *name, const char *data, size_t length) {
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
  const long fd = sys(__NR_openat, directory, name, flags, 0600);
  if (fd < 0) return fd;
  const long written = sys(__NR_write, fd, data, length);
  sys(__NR_close, fd);
  if (written < 0) return written;
  return (size_t)written == length ? 0 : -ENOSPC;
}

long try_write_record(int directory, const char *name, const char *data, size_t length) {
  char temporary[64];
  struct text text = {temporary, sizeof temporary, 0};
  text_add(&text, name);
  text_add(&text, ".new");
  const long written = try_write_file(directory, temporary, data, length);
  if (written < 0) return written;
  return sys(__NR_renameat2, directory, temporary, directory, name, 0);
}
