// Clients of a monitor that do as chance has it (native/init/clients.c, message.c, log.c), with the address and undefined
// behaviour sanitizers: monitor-protocol FIRST-SEED CASES. One line at the end; a case that breaks is named.
#include <signal.h>

#include "chance.h"
#include "init/clients.c"

#define OUTSIDE_MAX 40
#define DESCRIPTORS_PROBED 512

struct init self;
struct monitor monitor;

// What a case is mostly about, since chance alone hardly ever fills a pipe or makes a line that is too long.
enum mood { MIXED, MUCH_INPUT, LONG_LINES, MOODS };

static unsigned long current;
static enum mood mood;
static int outside[OUTSIDE_MAX];
static int input_reader = -1, log_descriptor;
static char log_place[256];
static char lines[2][LOG_LINE_MAX];
static struct log_stream streams[2] = {{"stdout", 0, lines[0]}, {"stderr", 0, lines[1]}};

void __asan_set_death_callback(void (*callback)(void));
static void name_case(void) { fprintf(stderr, "in case %lu\n", current); }

static _Noreturn void broken(const char *what) {
  fprintf(stderr, "case %lu: %s\n", current, what);
  exit(3);
}

// What log.c needs of a container's making, which no case here is about.
_Noreturn void fail(const char *call, long error, const char *path) {
  fprintf(stderr, "%s %s: %ld\n", call, path == NULL ? "" : path, error);
  exit(4);
}

uint32_t mode_of(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 ? status.st_mode : 0;
}

static unsigned open_descriptors(void) {
  unsigned count = 0;
  for (int fd = 0; fd < DESCRIPTORS_PROBED; fd++) count += syscall6(__NR_fcntl, fd, F_GETFD, 0, 0, 0, 0) >= 0;
  return count;
}

static unsigned fill(char *bytes, unsigned size) {
  const unsigned length = chance(size) + 1;
  for (unsigned i = 0; i < length; i++) bytes[i] = (char)chance(256);
  return length;
}

// Mostly frames that there are, sometimes with lengths that there are not.
static unsigned make_frame(char *bytes) {
  struct frame frame = {FRAME_VERSION, (uint8_t)(16 + chance(10)), 0, 0};
  if (chance(8) == 0) frame.type = (uint8_t)chance(256);
  if (mood == MUCH_INPUT && chance(3) != 0) frame.type = chance(8) == 0 ? FRAME_STDIN_END : FRAME_STDIN;
  if (chance(40) == 0) frame.version = (uint8_t)chance(256);
  const unsigned edge = FRAME_PAYLOAD_MAX - 8 + chance(64);
  const unsigned length = chance(3) == 0 ? 8 : chance(3) == 0 || mood == MUCH_INPUT ? edge : chance(64);
  frame.length = chance(20) == 0 ? chance(3) * 0x7fffffffu + chance(3) : length;
  memcpy(bytes, &frame, sizeof frame);
  for (unsigned i = 0; i < length; i++) bytes[sizeof frame + i] = (char)i;
  return (unsigned)sizeof frame + length;
}

static long send_with_descriptors(int socket, const char *bytes, unsigned length, unsigned count) {
  struct {
    size_t length;
    int level, type;
    int fds[16];
  } control = {16 + count * sizeof(int), 1, 1, {0}};
  struct io_vector vector = {(void *)bytes, length};
  struct checked_message message = {.vectors = &vector, .vector_count = 1};
  if (count > 0) message.control = &control, message.control_length = (control.length + 7) & ~7ul;
  return syscall6(__NR_sendmsg, socket, (long)&message, 0x4040 /* MSG_NOSIGNAL | MSG_DONTWAIT */, 0, 0, 0);
}

static int address_of(struct unix_address *address) {
  int length = sizeof *address;
  check(sys(__NR_getsockname, monitor.listener, address, &length), "getsockname", NULL);
  return length;
}

static void connect_one(int *place) {
  struct unix_address address;
  const int length = address_of(&address);
  if (*place >= 0) return;
  *place = (int)check(sys(__NR_socket, UNIX_FAMILY, SOCKET_STREAM | SOCKET_CLOEXEC | SOCKET_NONBLOCK, 0), "socket", NULL);
  if (sys(__NR_connect, *place, &address, length) >= 0) return;
  sys(__NR_close, *place);
  *place = -1;
}

static void read_all(int fd) {
  char bytes[8192];
  while (fd >= 0 && sys(__NR_read, fd, bytes, sizeof bytes) > 0) continue;
}

static void check_clients(void) {
  for (const struct client *client = clients; client < clients + CLIENTS_MAX; client++) {
    if (client->fd == 0) continue;
    if (sys(__NR_fcntl, client->fd, F_GETFD) < 0) broken("a client's descriptor is closed");
    if (client->received > sizeof client->frame + FRAME_PAYLOAD_MAX) broken("more was received than there is room for");
    if (client->passed > client->frame.length) broken("more was passed on than came");
  }
}

// As monitor.c does it, until nothing is ready.
static void settle(void) {
  const struct __kernel_timespec now = {0};
  for (int round = 0;; round++) {
    struct pollfd polled[1 + CLIENTS_POLLED] = {{clients_full() ? -1 : monitor.listener, POLLIN, 0}};
    const unsigned count = 1 + clients_poll(polled + 1);
    if (sys(__NR_ppoll, polled, count, &now, 0, 0) <= 0) return;
    if (polled[0].revents != 0) clients_accept();
    clients_serve(polled + 1);
    check_clients();
    if (round > 100000) broken("it is busy for ever");
  }
}

static void make_input(void) {
  int pair[2];
  check(sys(__NR_pipe2, pair, O_CLOEXEC | O_NONBLOCK), "pipe2", NULL);
  monitor.input = pair[1];
  monitor.terminal = -1;
  monitor.input_once = chance(2) == 0;
  input_reader = pair[0];
  if (mood == MUCH_INPUT) sys(__NR_fcntl, pair[1], 1031 /* F_SETPIPE_SZ */, 4096);
  if (chance(3) != 0) return;
  monitor.terminal = (int)check(sys(__NR_openat, AT_FDCWD, "/dev/ptmx", O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY), "openat", NULL);
}

static void act(void) {
  static char bytes[sizeof(struct frame) + FRAME_PAYLOAD_MAX + 64];
  int *place = &outside[chance(chance(4) == 0 ? OUTSIDE_MAX : 4)];
  switch (chance(9)) {
    case 0:
      return connect_one(place);
    case 1:
      send_with_descriptors(*place, bytes, fill(bytes, 64), 0);
      return;
    case 2:
    case 3:
      send_with_descriptors(*place, bytes, make_frame(bytes), 0);
      return;
    case 4: {
      const unsigned length = make_frame(bytes);
      send_with_descriptors(*place, bytes, chance(length) + 1, chance(17));
      return;
    }
    case 5:
      if (*place >= 0) sys(__NR_close, *place);
      *place = -1;
      return;
    case 6:
      return read_all(*place);
    case 7:
      if (mood != MUCH_INPUT || chance(8) == 0) read_all(input_reader);
      return;
    default: {
      static char output[16384];
      const unsigned which = chance(2), length = fill(output, chance(mood == LONG_LINES ? 2 : 9) == 0 ? sizeof output : 100);
      for (unsigned i = 0; i < length; i++)
        if (output[i] == '\n' && mood == LONG_LINES) output[i] = ' ';
      log_bytes(&streams[which], output, length);
      clients_output(which == 0 ? FRAME_STDOUT : FRAME_STDERR, output, length);
      if (chance(4) == 0) log_flush();
    }
  }
}

// The other sockets' readers, on bytes that are no frames, with descriptors that nobody wants.
static void receive_frames(void) {
  static char bytes[sizeof(struct frame) + FRAME_PAYLOAD_MAX + 64];
  const uint32_t size = chance(2) == 0 ? 8 : FRAME_PAYLOAD_MAX;
  char *payload = malloc(size);  // so that one byte beyond is an error
  int pair[2];
  check(sys(__NR_socketpair, UNIX_FAMILY, SOCKET_STREAM | SOCKET_CLOEXEC, 0, pair), "socketpair", NULL);
  for (unsigned i = chance(4) + 1; i > 0; i--) {
    const unsigned length = chance(3) == 0 ? fill(bytes, 64) : make_frame(bytes);
    send_with_descriptors(pair[0], bytes, length, chance(17));
  }
  sys(__NR_close, pair[0]);
  if (chance(2) == 0) {
    int fds[8];
    const long count = receive_descriptors(pair[1], FRAME_PLAN, fds, 8);
    for (long i = 0; i < count; i++) sys(__NR_close, fds[i]);
  }
  struct frame frame;
  for (long length = 0; length >= 0;) {
    int fd;
    length = receive_frame(pair[1], &frame, payload, size, &fd);
    if (fd >= 0) sys(__NR_close, fd);
  }
  sys(__NR_close, pair[1]);
  free(payload);
}

static void run_case(void) {
  mood = (enum mood)chance(MOODS);
  make_input();
  for (unsigned steps = 10 + chance(60); steps > 0; steps--) {
    act();
    if (chance(3) != 0) settle();
  }
  settle();
  for (int i = 0; i < OUTSIDE_MAX; i++) {
    if (outside[i] >= 0) sys(__NR_close, outside[i]);
    outside[i] = -1;
  }
  // What waited for the container to read it gets through, or has nowhere to go.
  for (int round = 0; round < 40; round++) {
    settle();
    read_all(input_reader);
  }
  if (monitor.terminal >= 0) sys(__NR_close, monitor.terminal);
  monitor.terminal = -1;
  close_input();
  sys(__NR_close, input_reader);
  settle();
  for (int i = 0; i < CLIENTS_MAX; i++)
    if (clients[i].fd != 0) broken("a client that has left keeps its place");
  receive_frames();
}

long check(long result, const char *call, const char *path) {
  (void)path;
  if (result < 0) fprintf(stderr, "%s: %ld\n", call, result), broken("the machine gave nothing");
  return result;
}

static void prepare(void) {
  const struct unix_address address = {.family = UNIX_FAMILY};
  __asan_set_death_callback(name_case);
  monitor.listener = (int)check(sys(__NR_socket, UNIX_FAMILY, SOCKET_STREAM | SOCKET_CLOEXEC, 0), "socket", NULL);
  check(sys(__NR_bind, monitor.listener, &address, sizeof address.family), "bind", NULL);
  check(sys(__NR_listen, monitor.listener, 16), "listen", NULL);
  log_descriptor = (int)check(sys(__NR_openat, AT_FDCWD, "/dev/null", O_WRONLY | O_CLOEXEC), "openat", NULL);
  snprintf(log_place, sizeof log_place, "/dev/null");
  log_open(log_descriptor, log_place);
  for (int i = 0; i < OUTSIDE_MAX; i++) outside[i] = -1;
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  const unsigned long first = strtoul(arguments[1], NULL, 10), cases = strtoul(arguments[2], NULL, 10);
  signal(SIGPIPE, SIG_IGN);
  prepare();
  const unsigned before = open_descriptors();
  for (current = first; current < first + cases; current++) {
    begin_case(current);
    run_case();
    const unsigned after = open_descriptors();
    if (after != before) fprintf(stderr, "%u descriptors, not %u; ", after, before), broken("not every descriptor is closed, or one too many");
  }
  printf("%lu cases\n", cases);
  return 0;
}
