import { KeelsonError } from '../../base/index.ts'
import { shown } from '../shown.ts'
import type { SeccompSyscall } from '../spec.ts'

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

/** The filter's return value. Only ERRNO and TRACE carry a number (16 bits); it is EPERM unless given. */
export function actionValue(action: string, errnoRet: number | undefined, path: string): number {
  const value = actions[action]
  if (value === undefined)
    throw new KeelsonError('INVALID_ARGUMENT', `${path}: unknown seccomp action ${shown(action)}`, {
      path,
      hint: `use one of ${knownActions.join(', ')}`,
    })
  const carries = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE'
  return carries ? (value | ((errnoRet ?? EPERM) & 0xffff)) >>> 0 : value
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
      throw new KeelsonError('INVALID_ARGUMENT', `${at}.op: unknown comparison ${shown(arg.op)}`, {
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

/** A number of JSON that was rounded (2^64 - 1 becomes 2^64): what is too big means all bits. */
function word(value: number | bigint): bigint {
  const big = typeof value === 'bigint' ? value : BigInt(Math.trunc(value))
  const largest = 2n ** 64n - 1n
  return big > largest ? largest : BigInt.asUintN(64, big)
}
