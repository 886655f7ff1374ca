// System call stubs for x86_64: number in rax, arguments in rdi, rsi, rdx, r10, r8, r9; rcx and r11 are lost.
#pragma once

static inline long syscall6(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

// clone(2) of a thread that runs `function`, which never returns, on a stack of its own. Its id, or -errno.
static inline long start_thread(unsigned long flags, void *stack_top, void (*function)(void)) {
  long result;
  __asm__ volatile(
      "syscall\n"
      "test %%rax, %%rax\n"
      "jnz 1f\n"
      "xor %%ebp, %%ebp\n"
      "call *%[function]\n"
      "ud2\n"
      "1:\n"
      : "=a"(result)
      : "a"((long)__NR_clone), "D"(flags), "S"(stack_top), "d"(0L), [function] "r"(function)
      : "rcx", "r11", "memory");
  return result;
}

#define CPU_RELAX() __asm__ volatile("pause")

// The kernel leaves argc at the stack pointer; C wants it as an argument and the stack aligned to 16 bytes.
#define ENTRY_POINT(function)          \
  __asm__(".globl _start\n"            \
          "_start:\n"                  \
          "  xor %ebp, %ebp\n"         \
          "  mov %rsp, %rdi\n"         \
          "  and $-16, %rsp\n"         \
          "  call " #function "\n"     \
          "  ud2\n")
