// User namespaces: the maps, becoming somebody in them, and cloning into namespaces that others made.
//
// A process that was cloned into a new user namespace has every capability in it and no identity: until somebody
// outside has written the maps, its ids are the overflow ids and nothing it makes has an owner. So it waits for the
// barrier `mapped`. Only a process outside can write more than one line, since writing maps takes CAP_SETUID over
// the *parent* namespace (user_namespaces(7)): keelson-init itself, or newuidmap(1), which is set-uid for just that.
#include "init/user-namespace.h"

#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/message.h"
#include "init/process.h"
#include "init/run-program.h"
#include "init/socket.h"
#include "init/syscall.h"

#define DENY_SETGROUPS 1
#define PROGRAM_ARGUMENTS_MAX 1100  // three for each of the 340 extents a map may have, and the rest

static void proc_path(struct text *text, int pid, const char *file) {
  text_add(text, "/proc/");
  text_add_number(text, pid);
  text_add(text, "/");
  text_add(text, file);
}

// A map is taken whole, by the first write, or not at all.
static void write_proc_file(int pid, const char *file, const char *data, uint32_t length) {
  char path[64];
  struct text text = {path, sizeof path, 0};
  proc_path(&text, pid, file);
  const int fd = (int)check(sys(__NR_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC), "openat", path);
  check(sys(__NR_write, fd, data, length), "write", path);
  sys(__NR_close, fd);
}

void write_maps(int pid, const char *users, uint32_t user_bytes, const char *groups, uint32_t group_bytes) {
  if (user_bytes > 0) write_proc_file(pid, "uid_map", users, user_bytes);
  if (group_bytes > 0) write_proc_file(pid, "gid_map", groups, group_bytes);
}

// Without privileges the kernel takes a map of groups only when setgroups(2) is denied for good: else a user could
// leave a group that a file's mode shuts out (CVE-2014-8989).
void operation_mapIdentities(const uint32_t *words) {
  if ((words[4] & DENY_SETGROUPS) != 0) write_proc_file(self.child_pid, "setgroups", "deny", 4);
  write_maps(self.child_pid, text_at(words[0]), words[1], text_at(words[2]), words[3]);
}

// What is wrong with its arguments or with /etc/subuid it says itself, so its own words are the error.
void operation_mapByProgram(const uint32_t *words) {
  static const char *arguments[PROGRAM_ARGUMENTS_MAX];
  static const char *const environment[] = {NULL};
  char pid[16];
  struct text text = {pid, sizeof pid, 0};
  text_add_number(&text, self.child_pid);
  if (words[2] + 3 > PROGRAM_ARGUMENTS_MAX) fail("execve", -E2BIG, text_at(words[0]));
  arguments[0] = text_at(words[0]);
  arguments[1] = pid;
  const char *item = text_at(words[1]);
  for (uint32_t i = 0; i < words[2]; i++, item += length_of(item) + 1) arguments[2 + i] = item;
  arguments[2 + words[2]] = NULL;
  const struct program_request request = {.path = arguments[0],
                                          .arguments = arguments,
                                          .environment = environment,
                                          .directory_fd = -1,
                                          .output = -1,
                                          .errors = -1,
                                          .timeout_ms = words[3],
                                          .watched = {{-1, 0, 0}, {-1, 0, 0}}};
  struct program_result result;
  run_program(&request, &result);
  if (result.end == PROGRAM_REFUSED) fail(result.call, -(long)result.value, arguments[0]);
  if (result.end == PROGRAM_LATE) fail("execve", -ETIMEDOUT, arguments[0]);
  if (result.end == PROGRAM_EXITED && result.value == 0) return;
  if (result.errors_length == 0) fail("exit status", -EPERM, arguments[0]);
  fail_with("exit status", -EPERM, result.errors, result.errors_length);
}

// Root of the namespace, or who is there in its place. The groups of whoever started us would stay with us: they are
// dropped where the namespace lets us.
void operation_takeIdentity(const uint32_t *words) {
  const long dropped = sys(__NR_setgroups, 0, NULL);
  if (dropped != -EPERM) check(dropped, "setgroups", NULL);
  check(sys(__NR_setresgid, words[1], words[1], words[1]), "setresgid", "user namespace");
  check(sys(__NR_setresuid, words[0], words[0], words[0]), "setresuid", "user namespace");
}

struct waiting_child start_waiting_child(uint64_t namespaces) {
  int pair[2];
  struct waiting_child child = {.pidfd = -1};
  check(sys(__NR_socketpair, UNIX_FAMILY, SOCKET_STREAM | SOCKET_CLOEXEC, 0, pair), "socketpair", NULL);
  struct clone_args arguments = {
      .flags = namespaces | CLONE_PIDFD, .pidfd = (uint64_t)&child.pidfd, .exit_signal = SIGNAL_CHILD};
  child.pid = (int)check(sys(__NR_clone3, &arguments, sizeof arguments), "clone3", NULL);
  if (child.pid == 0) {
    char nothing;
    sys(__NR_close_range, 0, pair[0] - 1, 0);
    sys(__NR_close_range, pair[0] + 1, ~0u, 0);
    while (sys(__NR_read, pair[0], &nothing, 1) == -EINTR) {
    }
    quit(0);
  }
  sys(__NR_close, pair[0]);
  child.socket = pair[1];
  return child;
}

void end_waiting_child(const struct waiting_child *child) {
  sys(__NR_close, child->socket);
  sys(__NR_waitid, P_PIDFD, child->pidfd, 0, WEXITED | __WALL, 0);
  sys(__NR_close, child->pidfd);
}

// A user namespace that holds nothing but a map, for idmapped mounts: it lives as long as its descriptor.
void operation_makeUserNamespace(const uint32_t *words) {
  const struct waiting_child child = start_waiting_child(CLONE_NEWUSER);
  char path[64];
  struct text text = {path, sizeof path, 0};
  write_maps(child.pid, text_at(words[0]), words[1], text_at(words[2]), words[3]);
  proc_path(&text, child.pid, "ns/user");
  self.slots[words[4]] = (int)check(sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC), "openat", path);
  end_waiting_child(&child);
}

struct join {
  uint32_t slot;
  uint32_t type;
};

#define JOINS_MAX 8

// Which side of the user namespace the right to enter another namespace lies on depends on who owns that one, and
// nobody but the kernel knows. So everything that can be joined with the rights of the starter is joined first, then
// the user namespace, then the rest with the rights that it gives.
static void join_all(struct join *joins, uint32_t count) {
  bool joined[JOINS_MAX] = {false};
  for (uint32_t i = 0; i < count; i++)
    joined[i] = joins[i].type != CLONE_NEWUSER && sys(__NR_setns, slot_fd(joins[i].slot), joins[i].type) >= 0;
  for (uint32_t i = 0; i < count; i++)
    if (joins[i].type == CLONE_NEWUSER) check(sys(__NR_setns, slot_fd(joins[i].slot), CLONE_NEWUSER), "setns", "user");
  for (uint32_t i = 0; i < count; i++)
    if (joins[i].type != CLONE_NEWUSER && !joined[i])
      check(sys(__NR_setns, slot_fd(joins[i].slot), joins[i].type), "setns", NULL);
}

static void report_clone(int socket, long pid, int pidfd) {
  const int32_t payload[2] = {(int32_t)pid, 0};
  check(send_frame(socket, FRAME_CLONED, payload, sizeof payload, pidfd), "sendmsg", "clone");
  quit(0);
}

// The process in between: in the namespaces to be joined, and by CLONE_PARENT not the parent of what it clones.
static void clone_as_middle(const uint32_t *words, int to_parent, const int sync[2]) {
  struct join joins[JOINS_MAX];
  const uint32_t count = words[4] / sizeof *joins;
  int pidfd = -1;
  if (count > JOINS_MAX) fail("setns", -EINVAL, NULL);
  memcpy(joins, text_at(words[3]), count * sizeof *joins);
  self.is_child = true;
  self.report = to_parent;
  join_all(joins, count);
  struct clone_args arguments = {.flags = plan_wide(words) | CLONE_PIDFD | CLONE_PARENT, .pidfd = (uint64_t)&pidfd};
  if (slot_fd(words[2]) >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = (uint64_t)slot_fd(words[2]);
  }
  const long pid = check(sys(__NR_clone3, &arguments, sizeof arguments), "clone3", NULL);
  if (pid > 0) report_clone(to_parent, pid, pidfd);
  sys(__NR_close, to_parent);
  sys(__NR_close, sync[0]);
  begin_child(sync[1]);
}

// A setns to a user namespace cannot be taken back, and a namespace belongs to the user namespace of who makes it: with
// one to join, or with others to join that our new one would have no rights over, a process in between does both.
void operation_cloneThrough(const uint32_t *words) {
  int sync[2], middle[2], pidfd = -1;
  check(sys(__NR_socketpair, UNIX_FAMILY, SOCKET_STREAM | SOCKET_CLOEXEC, 0, sync), "socketpair", NULL);
  check(sys(__NR_socketpair, UNIX_FAMILY, SOCKET_STREAM | SOCKET_CLOEXEC, 0, middle), "socketpair", NULL);
  struct clone_args arguments = {.flags = CLONE_PIDFD, .pidfd = (uint64_t)&pidfd, .exit_signal = SIGNAL_CHILD};
  const long pid = check(sys(__NR_clone3, &arguments, sizeof arguments), "clone3", NULL);
  if (pid == 0) {
    sys(__NR_close, middle[0]);
    clone_as_middle(words, middle[1], sync);
  }
  sys(__NR_close, middle[1]);
  sys(__NR_close, sync[1]);
  struct frame frame;
  int32_t payload[FRAME_PAYLOAD_MAX / sizeof(int32_t)];
  const long length = receive_frame(middle[0], &frame, payload, sizeof payload, &self.child_pidfd);
  sys(__NR_waitid, P_PIDFD, pidfd, 0, WEXITED | __WALL, 0);
  sys(__NR_close, pidfd);
  sys(__NR_close, middle[0]);
  if (length >= 0 && frame.type == FRAME_FAILURE) forward_failure(payload, frame.length);
  if (length < 0 || frame.type != FRAME_CLONED) fail("clone3", length < 0 ? length : -EPROTO, NULL);
  self.sync = sync[0];
  self.child_pid = payload[0];
}
