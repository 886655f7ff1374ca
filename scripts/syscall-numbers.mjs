#!/usr/bin/env node
// syscall-numbers: writes src/oci/seccomp/syscall-numbers.generated.ts. Names and numbers per architecture come from
// libseccomp's resolver (Debian: libseccomp-dev, gcc); system calls newer than that library are in `newer` below.
// Run it by hand when either grows; the result is committed.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const x32Bit = 0x40000000

/** Since Linux 5.1 a new system call has the same number on every architecture (include/uapi/asm-generic/unistd.h). */
const newer = {
  cachestat: 451,
  fchmodat2: 452,
  map_shadow_stack: 453,
  futex_wake: 454,
  futex_wait: 455,
  futex_requeue: 456,
  statmount: 457,
  listmount: 458,
  lsm_get_self_attr: 459,
  lsm_set_self_attr: 460,
  lsm_list_modules: 461,
  mseal: 462,
  setxattrat: 463,
  getxattrat: 464,
  listxattrat: 465,
  removexattrat: 466,
  open_tree_attr: 467,
  file_getattr: 468,
  file_setattr: 469,
}
/** And one that only x86_64 has. */
const newerOn = { x86_64: { uretprobe: 335 } }

const source = `
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
static void list(const char *name, uint32_t arch, int from, int to) {
  for (int nr = from; nr < to; nr++) {
    char *call = seccomp_syscall_resolve_num_arch(arch, nr);
    if (call) printf("%s %s %d\\n", name, call, nr);
    free(call);
  }
}
int main(void) {
  list("x86_64", SCMP_ARCH_X86_64, 0, 1024);
  list("x86", SCMP_ARCH_X86, 0, 1024);
  list("x32", SCMP_ARCH_X32, ${x32Bit}, ${x32Bit} + 1024);
  list("aarch64", SCMP_ARCH_AARCH64, 0, 1024);
  list("arm", SCMP_ARCH_ARM, 0, 1024);
  list("arm", SCMP_ARCH_ARM, 0xf0001, 0xf0010);
  const uint32_t others[] = {SCMP_ARCH_MIPS,  SCMP_ARCH_MIPS64, SCMP_ARCH_MIPS64N32, SCMP_ARCH_PPC,   SCMP_ARCH_PPC64,
                             SCMP_ARCH_S390X, SCMP_ARCH_S390,   SCMP_ARCH_PARISC,    SCMP_ARCH_RISCV64};
  for (unsigned i = 0; i < sizeof others / sizeof *others; i++) list("elsewhere", others[i], 0, 7000);
  return 0;
}
`

const folder = mkdtempSync(join(tmpdir(), 'syscall-numbers-'))
const tables = {}
try {
  writeFileSync(join(folder, 'list.c'), source)
  execFileSync('cc', ['-o', join(folder, 'list'), join(folder, 'list.c'), '-lseccomp'], { stdio: 'inherit' })
  for (const line of execFileSync(join(folder, 'list'), { encoding: 'utf8' }).trim().split('\n')) {
    const [architecture, name, number] = line.split(' ')
    tables[architecture] ??= {}
    tables[architecture][name] = Number(number)
  }
} finally {
  rmSync(folder, { recursive: true })
}
const { elsewhere, ...ours } = tables
const known = new Set(Object.values(ours).flatMap((table) => Object.keys(table)))
const unlisted = Object.keys(elsewhere)
  .filter((name) => !known.has(name))
  .sort()
for (const [architecture, table] of Object.entries(ours)) {
  const bit = architecture === 'x32' ? x32Bit : 0
  for (const [name, number] of Object.entries({ ...newer, ...newerOn[architecture] }))
    table[name] ??= number | bit
}

/** `name` where the number is one more than the last, else `name=number`. */
function packed(table, base) {
  let expected = 0
  const words = Object.entries(table)
    .map(([name, number]) => [name, number - base])
    .sort((a, b) => a[1] - b[1])
    .map(([name, number]) => {
      const word = number === expected ? name : `${name}=${number}`
      expected = number + 1
      return word
    })
  return wrapped(words, '    ')
}

function wrapped(words, indent) {
  const lines = ['']
  for (const word of words) {
    if (lines.at(-1).length + word.length > 100) lines.push('')
    lines.push(`${lines.pop()}${word} `)
  }
  return lines.map((line) => `${indent}${line.trim()}`).join('\n')
}

const text = `// Written by scripts/syscall-numbers.mjs; do not edit.
// A word without a number has the number after its predecessor's (the first: 0). x32 numbers are without their bit 30.
export const packedSyscallNumbers = {
${Object.entries(ours)
  .map(
    ([architecture, table]) =>
      `  ${architecture}: \`\n${packed(table, architecture === 'x32' ? x32Bit : 0)}\`,`,
  )
  .join('\n')}
} as const
// Names that only other architectures have.
export const elsewhereSyscalls = \`
${wrapped(unlisted, '  ')}
\`
`
const here = dirname(fileURLToPath(import.meta.url))
writeFileSync(join(here, '../src/oci/seccomp/syscall-numbers.generated.ts'), text)
