/**
 * libseccomp as the judge: a small C program, built at test time, makes the filter that runc would make from a
 * profile and prints the BPF. Absent compiler or headers (Debian: gcc, libseccomp-dev) give undefined.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Seccomp } from '../../src/oci/spec.ts'

const source = `
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
/* stdin: "default ACTION", "arch NAME", "rule ACTION NAME COUNT (INDEX OP A B)..."; stdout: struct sock_filter[] */
int main(void) {
  scmp_filter_ctx context = NULL;
  char word[64], name[64];
  unsigned action;
  while (scanf("%63s", word) == 1) {
    if (!strcmp(word, "default")) {
      if (scanf("%u", &action) != 1 || !(context = seccomp_init(action))) return 2;
    } else if (!strcmp(word, "arch")) {
      if (scanf("%63s", name) != 1) return 2;
      int rc = seccomp_arch_add(context, seccomp_arch_resolve_name(name));
      if (rc < 0 && rc != -17) return 3;
    } else {
      struct scmp_arg_cmp conditions[6];
      unsigned count;
      if (scanf("%u %63s %u", &action, name, &count) != 3) return 2;
      for (unsigned i = 0; i < count; i++) {
        unsigned index, op;
        unsigned long long a, b;
        if (scanf("%u %u %llu %llu", &index, &op, &a, &b) != 4) return 2;
        conditions[i] = (struct scmp_arg_cmp){index, op, a, b};
      }
      int nr = seccomp_syscall_resolve_name(name);
      if (nr == __NR_SCMP_ERROR) continue;
      int rc = seccomp_rule_add_array(context, action, nr, count, conditions);
      if (rc < 0 && rc != -17) { fprintf(stderr, "%s: %d\\n", name, rc); return 4; }
    }
  }
  return seccomp_export_bpf(context, 1) < 0 ? 5 : 0;
}
`

const actions: Record<string, number> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x30000,
  SCMP_ACT_ERRNO: 0x50000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
}
const operators = ['', 'NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ']

export interface LibSeccomp extends Disposable {
  filter(profile: Seccomp): Uint8Array
}

export function buildLibSeccomp(): LibSeccomp | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'keelson-libseccomp-'))
  const dispose = () => rmSync(folder, { recursive: true, force: true })
  const program = join(folder, 'filter')
  try {
    writeFileSync(`${program}.c`, source)
    execFileSync('cc', ['-o', program, `${program}.c`, '-lseccomp'], { stdio: 'ignore' })
  } catch {
    dispose()
    return undefined
  }
  return {
    filter: (profile) => execFileSync(program, { input: describe(profile), maxBuffer: 1 << 24 }),
    [Symbol.dispose]: dispose,
  }
}

/** The profile as runc hands it on: entries with the default action left out, shared indexes split into "or". */
function describe(profile: Seccomp): string {
  const fallback = value(profile.defaultAction, profile.defaultErrnoRet)
  const lines = [`default ${fallback}`]
  for (const name of profile.architectures ?? [])
    lines.push(`arch ${name.replace('SCMP_ARCH_', '').toLowerCase()}`)
  for (const { names, action, errnoRet, args = [] } of profile.syscalls ?? []) {
    if (value(action, errnoRet) === fallback) continue
    const shared = new Set(args.map(({ index }) => index)).size < args.length
    const conditions = args.map(
      ({ index, op, value, valueTwo = 0 }) =>
        ` ${index} ${operators.indexOf(op.replace('SCMP_CMP_', ''))} ${BigInt(value)} ${BigInt(valueTwo)}`,
    )
    for (const name of names)
      for (const one of shared ? conditions.map((condition) => [condition]) : [conditions])
        lines.push(`rule ${value(action, errnoRet)} ${name} ${one.length}${one.join('')}`)
  }
  return `${lines.join('\n')}\n`
}

function value(action: string, errnoRet = 1): number {
  const base = actions[action] ?? 0
  return action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE' ? base | errnoRet : base
}
