// What the kernel says to calls under a seccomp filter. Input: the filter's length and bytes, the number of calls, and
// for each how it is made (0: syscall, 1: int 0x80), its number and six arguments. Output: one 32-bit word per call, the
// errno it got; 0xffffffff where this kernel makes no such calls. The filter must answer every call with an errno.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct call {
  uint32_t how, nr;
  uint64_t args[6];
};

static long make_call(const struct call *call) {
  const uint64_t *a = call->args;
  long result;
  if (call->how == 0) {
    register uint64_t r10 __asm__("r10") = a[3];
    register uint64_t r8 __asm__("r8") = a[4];
    register uint64_t r9 __asm__("r9") = a[5];
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"((uint64_t)call->nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
  }
  // The sixth argument goes by ebp, which the compiler may need: it is put back.
  __asm__ volatile(
      "push %%rbp\n mov %[sixth], %%rbp\n int $0x80\n pop %%rbp"
      : "=a"(result)
      : "a"((uint64_t)call->nr), "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4]), [sixth] "r"(a[5])
      : "r8", "r9", "r10", "r11", "memory");
  return (int)result;
}

// Nothing but the calls of the case may be made any more, not even an exit: the child ends by a signal.
static void judge(const struct sock_fprog *program, const struct call *calls, uint32_t count, uint32_t *verdicts) {
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program) != 0) _exit(1);
  for (uint32_t i = 0; i < count; i++) {
    const long result = make_call(&calls[i]);
    verdicts[i] = result < 0 ? (uint32_t)-result : 0xfffffffe;
  }
  __builtin_trap();
}

static void *shared(size_t size) { return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); }

static int has_int80(void) {
  const pid_t child = fork();
  if (child == 0) {
    const struct call getpid_call = {1, 20, {0}};
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    _exit(make_call(&getpid_call) > 0 ? 0 : 1);
  }
  int status;
  waitpid(child, &status, 0);
  return status == 0;
}

static uint32_t word(void) {
  uint32_t value;
  if (fread(&value, sizeof value, 1, stdin) != 1) exit(2);
  return value;
}

int main(void) {
  const uint32_t bytes = word();
  struct sock_fprog program = {(unsigned short)(bytes / sizeof(struct sock_filter)), malloc(bytes)};
  if (fread(program.filter, 1, bytes, stdin) != bytes) return 2;
  const uint32_t count = word();
  struct call *calls = malloc(count * sizeof *calls + 1);
  if (fread(calls, sizeof *calls, count, stdin) != count) return 2;
  uint32_t *verdicts = shared(count * sizeof *verdicts + 1);
  const int x86 = has_int80();
  uint32_t kept = 0;
  struct call *made = malloc(count * sizeof *made + 1);
  uint32_t *where = malloc(count * sizeof *where + 1), *results = shared(count * sizeof *results + 1);
  for (uint32_t i = 0; i < count; i++) {
    verdicts[i] = 0xffffffff;
    if (calls[i].how == 1 && !x86) continue;
    where[kept] = i;
    made[kept++] = calls[i];
  }
  const pid_t child = fork();
  if (child == 0) judge(&program, made, kept, results);
  int status;
  waitpid(child, &status, 0);
  if (!WIFSIGNALED(status)) return 3;
  for (uint32_t i = 0; i < kept; i++) verdicts[where[i]] = results[i];
  fwrite(verdicts, sizeof *verdicts, count, stdout);
  return 0;
}
