// Plain files and descriptors of the host: cgroup directories and limits, the state directory, pipes.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/process.h"
#include "init/syscall.h"

#define WRITE_SKIP 1         // any failure is fine
#define WRITE_SKIP_ABSENT 2  // a missing file is fine
#define WRITE_ALTERNATIVE 4  // only when the file of the write before was missing
#define WRITE_MORE 8         // the next operation writes to the same file, which stays open for it

void operation_openPath(const uint32_t *words) {
  const char *path = text_at(words[0]);
  self.slots[words[2]] =
      (int)check(sys(__NR_openat, AT_FDCWD, path, words[1] | O_CLOEXEC, 0640), "openat", path);
}

void operation_makeDirectory(const uint32_t *words) {
  const char *path = text_at(words[0]);
  const long result = sys(__NR_mkdirat, AT_FDCWD, path, words[1]);
  if (result != -EEXIST) check(result, "mkdirat", path);
}

static long write_whole(const char *path, const void *data, size_t length) {
  const long fd = sys(__NR_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return fd;
  const long result = sys(__NR_write, fd, data, length);
  sys(__NR_close, fd);
  return result;
}

static long write_kept(const char *path, const void *data, size_t length, bool more) {
  static long kept = -1;
  const long fd = kept >= 0 ? kept : sys(__NR_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return fd;
  const long result = sys(__NR_write, fd, data, length);
  if (!more) sys(__NR_close, fd);
  kept = more ? fd : -1;
  return result;
}

void operation_writeFile(const uint32_t *words) {
  static bool was_absent;
  const char *path = text_at(words[0]);
  if ((words[3] & WRITE_ALTERNATIVE) != 0 && !was_absent) return;
  const long result = write_kept(path, text_at(words[1]), words[2], (words[3] & WRITE_MORE) != 0);
  was_absent = result == -ENOENT;
  if ((words[3] & WRITE_SKIP) != 0 || ((words[3] & WRITE_SKIP_ABSENT) != 0 && was_absent)) return;
  check(result, "write", path);
}

// The setting that was read or written last: mostly what the next level down asks for.
static struct {
  uint32_t path;
  long length;
  char bytes[128];
} last_setting;

static void remember_setting(uint32_t path, const char *text, long length) {
  const bool fits = length <= (long)sizeof last_setting.bytes;
  last_setting.path = path;
  last_setting.length = fits ? length : 0;
  if (fits) memcpy(last_setting.bytes, text, (size_t)length);
}

static long read_setting(uint32_t from, char *text, size_t size) {
  const char *path = text_at(from);
  if (last_setting.length > 0 && last_setting.path == from) {
    memcpy(text, last_setting.bytes, (size_t)last_setting.length);
    return last_setting.length;
  }
  const long fd = check(sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC), "openat", path);
  const long length = check(sys(__NR_read, fd, text, size), "read", path);
  sys(__NR_close, fd);
  return length;
}

// A setting of one line that has something (more than the line's end) stays as it is, and need not be ours to change.
void operation_inheritSetting(const uint32_t *words) {
  char text[PATH_BYTES];
  const char *path = text_at(words[0]);
  long fd = sys(__NR_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
  if (fd == -EACCES || fd == -EROFS) fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  check(fd, "openat", path);
  long length = check(sys(__NR_read, fd, text, sizeof text), "read", path);
  if (length <= 1) {
    length = read_setting(words[1], text, sizeof text);
    check(sys(__NR_write, fd, text, length), "write", path);
  }
  remember_setting(words[0], text, length);
  sys(__NR_close, fd);
}

void write_record(int directory, const char *name, const char *data, size_t length) {
  check(try_write_record(directory, name, data, length), "write", name);
}

void operation_replaceFile(const uint32_t *words) {
  write_record(slot_fd(words[0]), text_at(words[1]), text_at(words[2]), words[3]);
}

// "0" is the writer itself. Only `tasks` and CLONE_INTO_CGROUP: a pid written to cgroup.procs waits for an RCU grace
// period of about 11 ms. The writer has one thread, so moving one thread moves the process.
void operation_joinCgroup(const uint32_t *words) {
  const char *path = text_at(words[1]);
  const int fd = slot_fd(words[0]);
  if (fd < 0)
    check(write_whole(path, "0", 1), "write", path);
  else
    check(sys(__NR_write, fd, "0", 1), "write", path);
}

// The clone itself is not enough here: a resctrl group takes processes only by their number.
void operation_enrolChild(const uint32_t *words) {
  char number[16];
  const char *path = text_at(words[1]);
  const int fd = slot_fd(words[0]);
  struct text text = {number, sizeof number, 0};
  text_add_number(&text, self.child_pid);
  const long written = fd < 0 ? write_whole(path, number, text.length) : sys(__NR_write, fd, number, text.length);
  check(written, "write", path);
}

void operation_makePipe(const uint32_t *words) {
  int ends[2];
  check(sys(__NR_pipe2, ends, O_CLOEXEC), "pipe2", NULL);
  self.slots[words[0]] = ends[0];
  self.slots[words[1]] = ends[1];
}

void operation_closeSlot(const uint32_t *words) {
  sys(__NR_close, slot_fd(words[0]));
  self.slots[words[0]] = -1;
}
