// The parent half stays as the container's monitor: streams to the log and to whoever is attached,
// the exit record, and a socket by which a later daemon finds it. It never holds its container up.
#include "init/monitor.h"

#include "init/init.h"
#include "init/linux.h"
#include "init/log.h"
#include "init/memory.h"
#include "init/syscall.h"

#define READ_BYTES 16384
#define RETRY_SECONDS 1
#define DRAIN_READS_MAX 64
#define INPUT_ONCE 1

struct monitor monitor;

static char lines[2][LOG_LINE_MAX] __attribute__((aligned(4096)));
static char chunk[READ_BYTES] __attribute__((aligned(4096)));

struct output {
  int fd;
  uint8_t frame;
  struct log_stream log;
};

static struct output outputs[2] = {{-1, FRAME_STDOUT, {"stdout", 0, lines[0]}}, {-1, FRAME_STDERR, {"stderr", 0, lines[1]}}};

// Descriptors that the loop writes to must never block it.
static int nonblocking(int fd) {
  if (fd >= 0) sys(__NR_fcntl, fd, F_SETFL, sys(__NR_fcntl, fd, F_GETFL, 0) | O_NONBLOCK);
  return fd;
}

static void end_output(struct output *output) {
  log_finish(&output->log);
  sys(__NR_close, output->fd);
  if (output->fd == monitor.terminal) monitor.terminal = -1;  // the next client may get its number
  output->fd = -1;
}

// True while there may be more to read at once.
static bool relay(struct output *output) {
  const long count = sys(__NR_read, output->fd, chunk, sizeof chunk);
  if (count == -EAGAIN || count == -EINTR) return false;
  if (count <= 0) {  // a pty answers EIO when its last slave is gone
    end_output(output);
    return false;
  }
  log_bytes(&output->log, chunk, (size_t)count);
  clients_output(output->frame, chunk, (size_t)count);
  return true;
}

// What the container wrote before it ended. Bounded: a grandchild that still writes must not keep the record back.
static void drain(void) {
  for (struct output *output = outputs; output < outputs + 2; output++) {
    for (int reads = 0; output->fd >= 0 && reads < DRAIN_READS_MAX && relay(output);) reads++;
    if (output->fd >= 0) end_output(output);
  }
  log_flush();
}

static void release_memory(void) {
  log_release_memory();
  sys(__NR_madvise, chunk, sizeof chunk, 4 /* MADV_DONTNEED */);
  for (int i = 0; i < 2; i++)
    if (outputs[i].log.length == 0) sys(__NR_madvise, lines[i], sizeof lines[i], 4);
}

// The record first, then the news; it stays while the record cannot be written, and leaves when its directory is gone.
static _Noreturn void end(int oom_file) {
  const struct exit_facts facts = exit_facts_of(self.child_pidfd, oom_file);
  drain();
  for (;;) {
    const long written = exit_record(&facts);
    if (written >= 0 || written == -ENOENT) break;
    const struct __kernel_timespec pause = {.tv_sec = RETRY_SECONDS};
    sys(__NR_nanosleep, &pause, 0);
  }
  clients_end(&facts);
  quit(0);
}

static void ignore_signals(void) {
  const struct {
    unsigned long handler, flags, restorer;
    uint64_t mask;
  } ignore = {.handler = SIGNAL_IGNORE};
  static const int ignored[] = {SIGNAL_HANGUP, SIGNAL_INTERRUPT, SIGNAL_PIPE};
  for (unsigned i = 0; i < sizeof ignored / sizeof *ignored; i++) sys(__NR_rt_sigaction, ignored[i], &ignore, 0, 8);
}

static void loop(int oom_file) {
  bool used = false;
  for (;;) {
    struct pollfd polled[4 + CLIENTS_POLLED] = {{self.child_pidfd, POLLIN, 0},
                                                {clients_full() ? -1 : monitor.listener, POLLIN, 0}};
    for (int i = 0; i < 2; i++) polled[2 + i] = (struct pollfd){outputs[i].fd, POLLIN, 0};
    const unsigned count = 4 + clients_poll(polled + 4);
    const struct __kernel_timespec second = {.tv_sec = 1};
    const long ready = sys(__NR_ppoll, polled, count, used ? &second : 0, 0, 0);
    if (ready == 0) release_memory();
    used = ready > 0 && (used || polled[2].revents != 0 || polled[3].revents != 0);
    if (ready <= 0) continue;
    for (int i = 0; i < 2; i++)
      if (polled[2 + i].revents != 0) relay(&outputs[i]);
    log_flush();
    if (polled[1].revents != 0) clients_accept();
    clients_serve(polled + 4);
    if (polled[0].revents != 0) end(oom_file);
  }
}

// Everything but what the loop needs is closed: the control socket, the plan's descriptors, the state lock. Two rounds,
// because one may lie where another goes. 0 to 2 stay /dev/null, so that no later descriptor gets their numbers.
static void close_rest(int *kept[], unsigned count) {
  for (unsigned i = 0; i < count; i++)
    if (*kept[i] >= 0) *kept[i] = (int)check(sys(__NR_fcntl, *kept[i], F_DUPFD_CLOEXEC, 3 + count), "fcntl", NULL);
  for (unsigned i = 0; i < count; i++)
    if (*kept[i] >= 0) *kept[i] = (int)check(sys(__NR_dup3, *kept[i], 3 + i, O_CLOEXEC), "dup3", NULL);
  sys(__NR_close_range, 3 + count, ~0u, 0);
}

void operation_monitor(const uint32_t *words) {
  int oom_file = slot_fd(words[6]), log_file = slot_fd(words[7]);
  monitor = (struct monitor){.directory = slot_fd(words[0]),
                             .listener = slot_fd(words[1]),
                             .input = slot_fd(words[2]),
                             .terminal = slot_fd(words[5]),
                             .input_once = (words[9] & INPUT_ONCE) != 0};
  outputs[0].fd = monitor.terminal >= 0 ? monitor.terminal : slot_fd(words[3]);
  outputs[1].fd = slot_fd(words[4]);
  int *kept[] = {&monitor.directory, &monitor.listener, &monitor.input, &outputs[0].fd,
                 &outputs[1].fd,     &oom_file,         &log_file,      &self.child_pidfd, &self.rest};
  close_rest(kept, sizeof kept / sizeof *kept);
  if (monitor.terminal >= 0) monitor.terminal = outputs[0].fd;
  nonblocking(monitor.input);
  for (int i = 0; i < 2; i++) nonblocking(outputs[i].fd);
  if (log_file >= 0) log_open(log_file, text_at(words[8]));
  drop_plan();  // a container's largest page holder, for as long as it lives
  ignore_signals();
  loop(oom_file);
}
