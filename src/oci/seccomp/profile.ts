import { KeelsonError } from '../../base/index.ts'
import type { Seccomp, SeccompSyscall } from '../spec.ts'
import type { Architecture } from './syscall-numbers.ts'

/** What the words of `linux.seccomp` stand for (config-linux.md "Seccomp", seccomp(2)). */

const actions: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: 0x00000000,
  SCMP_ACT_KILL_THREAD: 0x00000000,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x00030000,
  SCMP_ACT_ERRNO: 0x00050000,
  SCMP_ACT_NOTIFY: 0x7fc00000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
}
export const knownActions = Object.keys(actions)

export const killThread = 0
export const errnoAction = 0x00050000
export const notifyAction = 0x7fc00000
export const ENOSYS = 38
const EPERM = 1

/** The filter's return value. Only ERRNO and TRACE carry a number; it is EPERM unless given. */
export function actionValue(action: string, errnoRet: number | undefined, path: string): number {
  const value = actions[action]
  if (value === undefined)
    throw new KeelsonError('INVALID_ARGUMENT', `${path}: unknown seccomp action ${JSON.stringify(action)}`, {
      path,
      hint: `use one of ${knownActions.join(', ')}`,
    })
  const carries = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE'
  return carries ? (value | ((errnoRet ?? EPERM) & 0xffff)) >>> 0 : value
}

const architectures: Readonly<Record<string, Architecture | undefined>> = {
  SCMP_ARCH_X86_64: 'x86_64',
  SCMP_ARCH_X86: 'x86',
  SCMP_ARCH_X32: 'x32',
  SCMP_ARCH_AARCH64: 'aarch64',
  SCMP_ARCH_ARM: 'arm',
}
/** Known to the specification; no process on our machines can make their calls, so they need no code. */
const foreign =
  /^SCMP_ARCH_(MIPS|MIPS64|MIPS64N32|MIPSEL|MIPSEL64|MIPSEL64N32|PPC|PPC64|PPC64LE|S390|S390X|PARISC|PARISC64|RISCV64|LOONGARCH64|M68K|SH|SHEB)$/
export const knownArchitectures = Object.keys(architectures)

/** Which architectures a native process may use under each kernel. */
const compatible: Readonly<Record<'x86_64' | 'aarch64', readonly Architecture[]>> = {
  x86_64: ['x86_64', 'x32', 'x86'],
  aarch64: ['aarch64', 'arm'],
}

/** The listed architectures that this machine has, the native one always among them. */
export function filterArchitectures(
  names: readonly string[] = [],
  native: 'x86_64' | 'aarch64',
): Architecture[] {
  const listed = new Set<Architecture>([native])
  names.forEach((name, index) => {
    const architecture = architectures[name]
    if (architecture) listed.add(architecture)
    else if (!foreign.test(name))
      throw new KeelsonError(
        'INVALID_ARGUMENT',
        `linux.seccomp.architectures[${index}]: unknown architecture ${JSON.stringify(name)}`,
        {
          path: `linux.seccomp.architectures[${index}]`,
          hint: `use one of ${knownArchitectures.join(', ')}`,
        },
      )
  })
  return compatible[native].filter((architecture) => listed.has(architecture))
}

const flags: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32,
}
export const knownFlags = Object.keys(flags)
const newListener = 8

/**
 * The flags of seccomp(2). No list at all means SPEC_ALLOW, as in runc. TSYNC does nothing for a process with one
 * thread and may not be combined with a listener, so it is dropped there.
 */
export function filterFlags(profile: Seccomp, notify: boolean): number {
  const named = (profile.flags ?? ['SECCOMP_FILTER_FLAG_SPEC_ALLOW']).map((name, index) => {
    const flag = flags[name]
    if (flag !== undefined) return flag
    throw new KeelsonError(
      'INVALID_ARGUMENT',
      `linux.seccomp.flags[${index}]: unknown seccomp flag ${JSON.stringify(name)}`,
      {
        path: `linux.seccomp.flags[${index}]`,
        hint: `use some of ${knownFlags.join(', ')}`,
      },
    )
  })
  const all = named.reduce((bits, flag) => bits | flag, 0)
  return notify ? (all & ~1) | newListener : all & ~32
}

export type Operator = 'NE' | 'LT' | 'LE' | 'EQ' | 'GE' | 'GT' | 'MASKED_EQ'
export const operators: readonly Operator[] = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ']

export interface Condition {
  index: number
  operator: Operator
  /** For MASKED_EQ the mask, else what the argument is compared with. */
  value: bigint
  /** For MASKED_EQ what the masked argument is compared with. */
  masked: bigint
}

/**
 * The alternatives of one entry, each a list of conditions that must all hold; none means always. Conditions on
 * different arguments are joined by "and". When an argument occurs twice, every condition stands for itself
 * ("or"): so runc reads it, and profiles are written for that.
 */
export function alternatives(call: SeccompSyscall, path: string): Condition[][] {
  const conditions = (call.args ?? []).map((arg, position): Condition => {
    const operator = operators.find((one) => arg.op === `SCMP_CMP_${one}`)
    const at = `${path}.args[${position}]`
    if (!operator)
      throw new KeelsonError('INVALID_ARGUMENT', `${at}.op: unknown comparison ${JSON.stringify(arg.op)}`, {
        path: `${at}.op`,
        hint: `use one of ${operators.map((one) => `SCMP_CMP_${one}`).join(', ')}`,
      })
    if (!Number.isInteger(arg.index) || arg.index < 0 || arg.index > 5)
      throw new KeelsonError('INVALID_ARGUMENT', `${at}.index: no system call has an argument ${arg.index}`, {
        path: `${at}.index`,
        hint: 'use 0 to 5',
      })
    return { index: arg.index, operator, value: word(arg.value), masked: word(arg.valueTwo ?? 0) }
  })
  if (conditions.length === 0) return [[]]
  const indexes = new Set(conditions.map(({ index }) => index))
  return indexes.size < conditions.length ? conditions.map((one) => [one]) : [conditions]
}

/** JSON rounds 2^64 - 1 up to 2^64: what is too big means all bits. */
function word(value: number): bigint {
  const big = BigInt(Math.trunc(value))
  const largest = 2n ** 64n - 1n
  return big > largest ? largest : BigInt.asUintN(64, big)
}
