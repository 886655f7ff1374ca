/**
 * libseccomp as the judge: a small C program, built at test time, makes the filter that runc would make from a
 * profile and gives its BPF. Absent compiler or headers (Debian: gcc, libseccomp-dev) give undefined.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Seccomp, SeccompSyscall } from '../../src/oci/spec.ts'

const source = `
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>

/* The largest number that runc's findLastSyscalls would come to; the private calls of ARM are left out. */
static uint32_t newest(uint32_t arch, char names[][64], unsigned count) {
  int largest = 0;
  for (unsigned i = 0; i < count; i++) {
    int nr = seccomp_syscall_resolve_name_arch(arch, names[i]);
    if (nr > largest && !(arch == SCMP_ARCH_ARM && nr >= 0xf0000)) largest = nr;
  }
  return largest;
}

/* stdin: "native ARCH", "default ACTION", "arch NAME", "name NAME", "rule ACTION NAME COUNT (INDEX OP A B)...";
   stdout: struct sock_filter[]; stderr: "refused N" for a rule that contradicts another, "newest ARCH NR". */
int main(void) {
  scmp_filter_ctx context = NULL;
  static char names[20000][64];
  uint32_t archs[8] = {seccomp_arch_native()};
  char word[64], name[64];
  unsigned action, rule = 0, arch_count = 1, name_count = 0;
  while (scanf("%63s", word) == 1) {
    if (!strcmp(word, "default")) {
      if (scanf("%u", &action) != 1 || !(context = seccomp_init(action))) return 2;
    } else if (!strcmp(word, "native")) {
      if (scanf("%63s", name) != 1) return 2;
      uint32_t arch = seccomp_arch_resolve_name(name);
      if (arch == archs[0]) continue;
      if (seccomp_arch_add(context, arch) < 0 || seccomp_arch_remove(context, archs[0]) < 0) return 3;
      archs[0] = arch;
    } else if (!strcmp(word, "arch")) {
      if (scanf("%63s", name) != 1) return 2;
      uint32_t arch = seccomp_arch_resolve_name(name);
      int rc = seccomp_arch_add(context, arch);
      if (rc == 0) archs[arch_count++] = arch;
      if (rc < 0 && rc != -17) return 3;
    } else if (!strcmp(word, "name")) {
      if (scanf("%63s", names[name_count++]) != 1) return 2;
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
      int rc = nr == __NR_SCMP_ERROR ? 0 : seccomp_rule_add_array(context, action, nr, count, conditions);
      if (rc == -17) fprintf(stderr, "refused %u\\n", rule);
      else if (rc < 0) { fprintf(stderr, "%s: %d\\n", name, rc); return 4; }
      rule++;
    }
  }
  for (unsigned i = 0; i < arch_count; i++) fprintf(stderr, "newest %u %u\\n", archs[i], newest(archs[i], names, name_count));
  return seccomp_export_bpf(context, 1) < 0 ? 5 : 0;
}
`

const actions: Record<string, number> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x30000,
  SCMP_ACT_ERRNO: 0x50000,
  SCMP_ACT_NOTIFY: 0x7fc00000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
}
const operators = ['', 'NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ']

/** One call with the conditions that must all hold. */
export interface Rule extends Omit<SeccompSyscall, 'names'> {
  name: string
}

export interface Judgement {
  program: Uint8Array
  /** Rules that contradict another one (EEXIST): runc would refuse the whole profile. */
  refused: Set<Rule>
  rules: readonly Rule[]
  /** Per audit value of the architecture (x32: with bit 30 in the number), the newest call the profile names. */
  newest: ReadonlyMap<number, number>
}

export interface LibSeccomp extends Disposable {
  /** `native` is the machine's architecture, for which libseccomp makes the filter as well as for this one. */
  judge(profile: Seccomp, native?: 'x86_64' | 'aarch64'): Judgement
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
  return { judge: (profile, native = 'x86_64') => judge(program, profile, native), [Symbol.dispose]: dispose }
}

function judge(program: string, profile: Seccomp, native: string): Judgement {
  const rules = rulesOf(profile)
  const { status, stdout, stderr } = spawnSync(program, {
    input: describe(profile, rules, native),
    maxBuffer: 1 << 24,
  })
  const said = stderr.toString()
  if (status !== 0) throw new Error(`libseccomp: exit ${status} ${said}`)
  const numbers = (word: string) =>
    [...said.matchAll(new RegExp(`^${word} (\\d+) ?(\\d*)$`, 'gm'))].map(
      ([, a, b]) => [Number(a), Number(b)] as const,
    )
  return {
    program: stdout,
    rules,
    refused: new Set(numbers('refused').flatMap(([index]) => rules[index] ?? [])),
    newest: new Map(numbers('newest')),
  }
}

/** As runc hands a profile on: entries with the default action left out, shared indexes split into "or". */
function rulesOf(profile: Seccomp): Rule[] {
  const fallback = actionNumber(profile.defaultAction, profile.defaultErrnoRet)
  return (profile.syscalls ?? []).flatMap(({ names, args = [], ...call }) => {
    if (actionNumber(call.action, call.errnoRet) === fallback) return []
    const shared = new Set(args.map(({ index }) => index)).size < args.length
    const alternatives = shared ? args.map((one) => [one]) : [args]
    return names.flatMap((name) => alternatives.map((conditions) => ({ ...call, name, args: conditions })))
  })
}

function describe(profile: Seccomp, rules: readonly Rule[], native: string): string {
  const lines = [
    `default ${actionNumber(profile.defaultAction, profile.defaultErrnoRet)}`,
    `native ${native}`,
    ...(profile.architectures ?? []).map((name) => `arch ${name.replace('SCMP_ARCH_', '').toLowerCase()}`),
    ...(profile.syscalls ?? []).flatMap(({ names }) => names.map((name) => `name ${name}`)),
    ...rules.map(({ name, action, errnoRet, args = [] }) => {
      const conditions = args.map(
        ({ index, op, value, valueTwo = 0 }) =>
          ` ${index} ${operators.indexOf(op.replace('SCMP_CMP_', ''))} ${BigInt(value)} ${BigInt(valueTwo)}`,
      )
      return `rule ${actionNumber(action, errnoRet)} ${name} ${args.length}${conditions.join('')}`
    }),
  ]
  return `${lines.join('\n')}\n`
}

export function actionNumber(action: string, errnoRet = 1): number {
  const base = actions[action] ?? 0
  return action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE' ? (base | errnoRet) >>> 0 : base
}
