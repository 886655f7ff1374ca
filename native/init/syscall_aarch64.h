// System call stubs for arm64: number in x8, arguments in x0 to x5.
#pragma once

static inline long syscall6(long number, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}

// clone(2) of a thread that runs `function`, which never returns, on a stack of its own. Its id, or -errno.
static inline long start_thread(unsigned long flags, void *stack_top, void (*function)(void)) {
  register long x8 __asm__("x8") = __NR_clone;
  register long x0 __asm__("x0") = (long)flags;
  register long x1 __asm__("x1") = (long)stack_top;
  register long x2 __asm__("x2") = 0;
  register long x3 __asm__("x3") = 0;
  register long x4 __asm__("x4") = 0;
  __asm__ volatile(
      "svc #0\n"
      "cbnz x0, 1f\n"
      "mov x29, #0\n"
      "mov x30, #0\n"
      "blr %[function]\n"
      "brk #1\n"
      "1:\n"
      : "+r"(x0)
      : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), [function] "r"(function)
      : "memory");
  return x0;
}

#define CPU_RELAX() __asm__ volatile("yield")

#define ENTRY_POINT(function)          \
  __asm__(".globl _start\n"            \
          "_start:\n"                  \
          "  mov x29, #0\n"            \
          "  mov x30, #0\n"            \
          "  mov x0, sp\n"             \
          "  and sp, x0, #-16\n"       \
          "  b " #function "\n")
