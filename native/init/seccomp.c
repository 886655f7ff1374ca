// System call filters (seccomp(2)), and the hand-over of a listener to whoever answers for it.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/message.h"
#include "init/process.h"
#include "init/syscall.h"

#define STACK_BYTES 16384
#define PIECES_MAX 8
#define NUMBER_BYTES 24

static long load(const uint32_t *words) {
  // The blob holds bytes without alignment; the kernel copies them out before it looks.
  const struct sock_fprog program = {(unsigned short)(words[1] / sizeof(struct sock_filter)),
                                     (struct sock_filter *)text_at(words[0])};
  return sys(__NR_seccomp, SECCOMP_SET_MODE_FILTER, words[2], &program);
}

void operation_loadSeccomp(const uint32_t *words) { check(load(words), "seccomp", NULL); }

// The listener's message names the process as the runtime's pid namespace does, which the child cannot find out.
void operation_tellProcess(const uint32_t *words) {
  (void)words;
  const uint32_t pid = (uint32_t)self.child_pid;
  const long sent = send_frame(self.sync, FRAME_PROCESS, &pid, sizeof pid, -1);
  if (sent != -EPIPE) check(sent, "sendmsg", "process");
}

static uint32_t own_pid;

void operation_learnProcess(const uint32_t *words) {
  (void)words;
  uint32_t payload[FRAME_PAYLOAD_MAX / sizeof(uint32_t)];
  int fd;
  const long length = receive_from_peer(FRAME_PROCESS, payload, sizeof payload, &fd);
  if (length < 0) quit(1);  // with its parent
  own_pid = payload[0];
}

// What the two threads below tell each other.
static struct {
  const uint32_t *words;
  int listener;  // -1: the filter is not loaded yet
  bool done;
} handover;

// The message is a list of texts: the pid goes between them.
static long send_listener(const uint32_t *words, int listener) {
  struct io_vector vectors[2 * PIECES_MAX];
  char number[NUMBER_BYTES];
  struct text text = {number, sizeof number, 0};
  text_add_number(&text, own_pid);
  const char *piece = text_at(words[4]);
  size_t count = 0, total = 0;
  for (uint32_t i = 0; i < words[5] && i < PIECES_MAX; i++, piece += length_of(piece) + 1) {
    if (i > 0) vectors[count++] = (struct io_vector){number, text.length};
    vectors[count++] = (struct io_vector){(void *)piece, length_of(piece)};
  }
  for (size_t i = 0; i < count; i++) total += vectors[i].length;
  const long sent = send_vectors(slot_fd(words[3]), vectors, count, listener);
  return sent < 0 ? sent : (size_t)sent == total ? 0 : -EMSGSIZE;
}

static int listener_when_loaded(void) {
  for (;;) {
    const int listener = __atomic_load_n(&handover.listener, __ATOMIC_ACQUIRE);
    if (listener >= 0) return listener;
    sys(__NR_sched_yield);
  }
}

// Whatever goes wrong is told from here: the other thread may not be able to. Afterwards the agent alone has the
// listener, so that calls that wait for it end with it.
static void hand_over(void) {
  const int listener = listener_when_loaded();
  const long sent = send_listener(handover.words, listener);
  if (sent < 0) fail("seccomp listener", sent, NULL);
  sys(__NR_close, listener);
  sys(__NR_close, slot_fd(handover.words[3]));
  __atomic_store_n(&handover.done, true, __ATOMIC_RELEASE);
  for (;;) sys(__NR_exit, 0);
}

// Between loading and exec this process may be unable to make any system call: the filter may refuse it, or it waits for
// an agent that has nothing yet. So a thread that was started before, and has no filter, hands the listener over, and
// the two wait for each other by looking at memory. Nothing of the profile is off limits thereby, and it works the same
// whether keelson-init still is our parent or not. The exec ends the thread, should it still be on its way out.
void operation_loadSeccompListener(const uint32_t *words) {
  static char stack[STACK_BYTES] __attribute__((aligned(16)));
  const unsigned long flags =
      CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
  handover.words = words;
  handover.listener = -1;
  check(start_thread(flags, stack + sizeof stack, hand_over), "clone", "seccomp listener");
  const long listener = check(load(words), "seccomp", NULL);
  __atomic_store_n(&handover.listener, (int)listener, __ATOMIC_RELEASE);
  while (!__atomic_load_n(&handover.done, __ATOMIC_ACQUIRE)) CPU_RELAX();
}
