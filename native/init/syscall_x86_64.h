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

// The kernel leaves argc at the stack pointer; C wants it as an argument and the stack aligned to 16 bytes.
#define ENTRY_POINT(function)          \
  __asm__(".globl _start\n"            \
          "_start:\n"                  \
          "  xor %ebp, %ebp\n"         \
          "  mov %rsp, %rdi\n"         \
          "  and $-16, %rsp\n"         \
          "  call " #function "\n"     \
          "  ud2\n")
