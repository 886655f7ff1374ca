// The program of a container that only holds namespaces: PID 1 of a pod whose containers share their process ids, or
// the first process of its user namespace. It owns nothing: no descriptor, no file system, no rights. Orphans that
// come to it are the kernel's to reap, so it sleeps until SIGTERM or SIGINT; with it end all processes of its PID
// namespace. It keeps two pages: one of instructions, one of stack.
#include "init/init.h"
#include "init/linux.h"
#include "init/syscall.h"

// The largest that the kernel may have.
#if defined(__aarch64__)
#define PAGE_BYTES 65536ul
#else
#define PAGE_BYTES 4096ul
#endif

struct signal_action {
  unsigned long handler, flags, restorer;
  uint64_t mask;
};

// Of the linker: all of this program lies between them.
extern const char __executable_start[], end[];

static void ignore(int signal) {
  const struct signal_action action = {.handler = SIGNAL_IGNORE};
  sys(__NR_rt_sigaction, signal, &action, 0, sizeof action.mask);
}

// Alone on its page, from which it must not step: everything else of the program is taken away below.
__attribute__((section(".text.hold"), aligned(PAGE_BYTES), noinline)) static _Noreturn void sleep_on_one_page(
    uintptr_t first, uintptr_t own, uintptr_t last) {
  const uint64_t ends = 1ul << (SIGNAL_TERMINATE - 1) | 1ul << (SIGNAL_INTERRUPT - 1);
  sys(__NR_munmap, first, own - first);
  sys(__NR_munmap, own + PAGE_BYTES, last - own - PAGE_BYTES);
  while (sys(__NR_rt_sigtimedwait, &ends, 0, 0, sizeof ends) < 0) continue;
  for (;;) sys(__NR_exit_group, 0);
}

void operation_hold(const uint32_t *words) {
  (void)words;
  const uint64_t ends = 1ul << (SIGNAL_TERMINATE - 1) | 1ul << (SIGNAL_INTERRUPT - 1);
  sys(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &ends, 0, sizeof ends);
  ignore(SIGNAL_CHILD);  // ended children then leave nothing to be waited for (wait(2))
  ignore(SIGNAL_HANGUP);
  drop_plan();
  sys(__NR_close_range, 0, ~0u, 0);  // whoever asked for the start learns of it by the end of the connection
  const uintptr_t whole = PAGE_BYTES - 1;
  sleep_on_one_page((uintptr_t)__executable_start & ~whole, (uintptr_t)sleep_on_one_page,
                    ((uintptr_t)end + whole) & ~whole);
}
