// The last steps before the user's program: directory, descriptors, the wait for start, exec.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/message.h"
#include "init/path.h"
#include "init/process.h"
#include "init/socket.h"
#include "init/syscall.h"

#define MAKE_MISSING 1
#define SOCKET_LEVEL 1
#define RECEIVE_TIMEOUT 20
#define ASKING_SECONDS 2

// Through the root's descriptor, so that /proc/self/fd/N leads nowhere (CVE-2024-21626), and looked at again from
// inside: a directory that cannot be named from here is not in the container.
void operation_enterDirectory(const uint32_t *words) {
  const char *path = text_at(words[0]);
  const long fd = (words[1] & MAKE_MISSING) != 0 ? open_target(path, TARGET_DIRECTORY, 0)
                                                 : open_in_root(path, O_PATH | O_DIRECTORY, 0);
  check(fd, "chdir", path);
  check(sys(__NR_fchdir, fd), "chdir", path);
  sys(__NR_close, fd);
  char seen[PATH_BYTES];
  check(sys(__NR_getcwd, seen, sizeof seen), "getcwd", path);
  if (seen[0] != '/') fail("working directory is outside of the container", -ENOENT, path);
}

static long try_program(const char *path) {
  struct statx status;
  const long found = sys(__NR_statx, AT_FDCWD, path, 0, STATX_TYPE, &status);
  if (found < 0) return found;
  if ((status.stx_mode & S_IFMT) == S_IFDIR) return -EISDIR;
  return sys(__NR_faccessat2, AT_FDCWD, path, 1 /* X_OK */, AT_EACCESS);
}

static void remember(const char *directory, size_t length, const char *name) {
  struct text text = {self.program, sizeof self.program, 0};
  text_add_count(&text, directory, length);
  if (length > 0) text_add(&text, "/");
  text_add(&text, name);
}

// Before `created` is reported, so that a missing program fails the creation and not the start. Called "lookup" when
// no directory of PATH has it: the caller words that as runc does.
void operation_findProgram(const uint32_t *words) {
  const char *name = text_at(words[0]);
  if (find_char(name, '/') != NULL) {
    remember("", 0, name);
    check(try_program(self.program), "execve", name);
    return;
  }
  long failure = -ENOENT;
  for (const char *at = text_at(words[1]); at != NULL;) {
    const char *end = find_char(at, ':');
    const size_t length = end == NULL ? length_of(at) : (size_t)(end - at);
    remember(length == 0 ? "." : at, length == 0 ? 1 : length, name);
    const long found = try_program(self.program);
    if (found >= 0) return;
    if (found == -EACCES) failure = found;
    at = end == NULL ? NULL : end + 1;
  }
  fail("lookup", failure, name);
}

void operation_newSession(const uint32_t *words) {
  (void)words;
  check(sys(__NR_setsid), "setsid", NULL);
}

// The container's own null device, or a negative number where it has none. Looked at before it is opened for more
// than its path: opening other devices may have effects.
static long own_null(void) {
  const long path = open_in_root("/dev/null", O_PATH | O_NOFOLLOW, RESOLVE_NO_SYMLINKS);
  if (path < 0) return path;
  const bool is_null = is_device((int)path, 1, 3);
  sys(__NR_close, path);
  return is_null ? open_in_root("/dev/null", O_RDWR | O_NOFOLLOW, RESOLVE_NO_SYMLINKS) : -ENXIO;
}

// Descriptor 0 of keelson-init is /dev/null: the starter put it there. The host's null device, whether it is ours or
// the caller's, becomes the container's: so nothing of the host's file systems stays open in it, which criu, for one,
// could not dump.
void operation_placeStdio(const uint32_t *words) {
  const long null = own_null();
  int staged[3];
  for (int i = 0; i < 3; i++) {
    int fd = slot_fd(words[i]);
    if (fd < 0) fd = 0;
    if (null >= 0 && is_device(fd, 1, 3)) fd = (int)null;
    staged[i] = (int)check(sys(__NR_fcntl, fd, F_DUPFD_CLOEXEC, 3), "fcntl", NULL);
  }
  if (null >= 0) sys(__NR_close, null);
  for (int i = 0; i < 3; i++) {
    check(sys(__NR_dup3, staged[i], i, 0), "dup3", NULL);
    sys(__NR_close, staged[i]);
  }
}

// So that the program's user may reopen /dev/stdout. Read-only and foreign filesystems keep their owner.
void operation_ownStdio(const uint32_t *words) {
  for (int fd = 0; fd < 3; fd++)
    if (!is_device(fd, 1, 3)) sys(__NR_fchown, fd, words[0], -1);
}

static uint32_t slots_of(const uint32_t *words, uint32_t *slots) {
  const uint32_t count = words[1] / sizeof(uint32_t);
  if (count > PLAN_SLOTS) fail("keepDescriptors", -EINVAL, NULL);
  memcpy(slots, text_at(words[0]), count * sizeof(uint32_t));
  for (uint32_t i = 0; i < count; i++) slots[i] %= PLAN_SLOTS;
  return count;
}

// Afterwards only 0 to 2, the preserved ones from 3 on, and behind them what we need ourselves until exec are open:
// descriptors of ours, and the slots of operations that are still to come.
void operation_keepDescriptors(const uint32_t *words) {
  uint32_t preserved[PLAN_SLOTS], later[PLAN_SLOTS];
  const uint32_t count = slots_of(words, preserved), later_count = slots_of(words + 2, later);
  self.listener = slot_fd(words[4]);
  int *own[3 + PLAN_SLOTS] = {&self.sync, &self.listener, &self.ruleset};
  for (uint32_t i = 0; i < later_count; i++) own[3 + i] = &self.slots[later[i]];
  int staged[2 * PLAN_SLOTS + 3];
  const uint32_t above = 3 + count + 3 + later_count;  // staging does not overlap the places that are filled below
  uint32_t kept = 0;
  for (; kept < count; kept++)
    staged[kept] = (int)check(sys(__NR_fcntl, self.slots[preserved[kept]], F_DUPFD_CLOEXEC, above), "fcntl", NULL);
  for (uint32_t i = 0; i < 3 + later_count; i++) {
    if (*own[i] < 0) continue;
    staged[kept] = (int)check(sys(__NR_fcntl, *own[i], F_DUPFD_CLOEXEC, above), "fcntl", NULL);
    *own[i] = (int)(3 + kept++);
  }
  for (uint32_t i = 0; i < kept; i++)
    check(sys(__NR_dup3, staged[i], 3 + i, i < count ? 0 : O_CLOEXEC), "dup3", NULL);
  sys(__NR_close_range, 3 + kept, ~0u, 0);
  self.report = self.sync;
  self.root = self.proc = self.masks = self.fresh = -1;
  for (int i = 0; i < PLACES; i++) self.places[i] = -1;
}

// Whoever connects and says nothing must not keep the next one from being heard.
static bool is_asked(int connection) {
  const struct __kernel_old_timeval bound = {.tv_sec = ASKING_SECONDS};
  struct frame frame;
  char payload[8];
  int fd;
  sys(__NR_setsockopt, connection, SOCKET_LEVEL, RECEIVE_TIMEOUT, &bound, sizeof bound);
  const long length = receive_frame(connection, &frame, payload, sizeof payload, &fd);
  if (fd >= 0) sys(__NR_close, fd);
  return length >= 0 && frame.type == FRAME_START;
}

// Whoever asks for the start gets the reason on the same connection when the program cannot be run, and the end of
// the connection when it runs. A connection alone starts nothing: recovery connects to see whether we wait.
void operation_awaitStart(const uint32_t *words) {
  (void)words;
  sys(__NR_close, self.sync);
  for (;;) {
    const long connection = sys(__NR_accept4, self.listener, 0, 0, SOCKET_CLOEXEC);
    if (connection == -EINTR || connection == -ECONNABORTED) continue;
    check(connection, "accept4", NULL);
    if (is_asked((int)connection)) {
      self.report = (int)connection;
      sys(__NR_close, self.listener);
      return;
    }
    sys(__NR_close, connection);
  }
}

// Not on the stack, which may be as small as somebody's RLIMIT_STACK; how many there may be is the kernel's to say.
const char **argument_pointers(uint32_t offset, uint32_t count) {
  const size_t bytes = (count + 2ul) * sizeof(char *);
  const long mapped = sys(__NR_mmap, 0, bytes, 3 /* PROT_READ | PROT_WRITE */, 0x22 /* MAP_PRIVATE | MAP_ANONYMOUS */, -1, 0);
  check(mapped > -4096 && mapped < 0 ? mapped : 0, "mmap", "arguments");
  const char **pointers = (const char **)mapped;
  const char *item = text_at(offset);
  for (uint32_t i = 0; i < count; i++, item += length_of(item) + 1) pointers[i] = item;
  return pointers;
}

void release_pointers(const char *const *pointers, uint32_t count) {
  sys(__NR_munmap, pointers, (count + 2ul) * sizeof *pointers);
}

void operation_execute(const uint32_t *words) {
  const char **arguments = argument_pointers(words[0], words[1]);
  const char **environment = argument_pointers(words[2], words[3]);
  if (self.home[0] != '\0') {
    environment[words[3]] = self.home;
  }
  fail("execve", sys(__NR_execve, self.program, arguments, environment), self.program);
}
