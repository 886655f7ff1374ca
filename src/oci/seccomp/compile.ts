import { KeelsonError } from '../../base/index.ts'
import { shown } from '../shown.ts'
import type { Seccomp } from '../spec.ts'
import {
  auditValues,
  filterArchitectures,
  isWide,
  type NativeArchitecture,
  nativeArchitecture,
} from './architectures.ts'
import {
  BPF,
  encodeProgram,
  type Instruction,
  load,
  maxInstructions,
  offsets,
  onlyIf,
  ret,
  skipIf,
} from './bpf.ts'
import { type Alternative, conditionalBody } from './conditions.ts'
import { filterFlags } from './flags.ts'
import { carriedConditions, multiplexedCall } from './multiplexed.ts'
import { inOrderOfPrecedence } from './precedence.ts'
import {
  actionValue,
  alternatives,
  type Condition,
  ENOSYS,
  errnoAction,
  killThread,
  notifyAction,
} from './profile.ts'
import { shareReturns } from './share-returns.ts'
import { type Architecture, isKnownAnywhere, syscallNumbers, x32Bit } from './syscall-numbers.ts'

/**
 * Turns a profile into a filter: per architecture a binary search over ranges of numbers with the same verdict.
 * The kernel runs a new filter once for every number to find those it may always allow, so a list that is searched
 * instead of walked loads eight times faster, and libseccomp needs 11 ms to make its one.
 *
 * The verdicts are libseccomp's (a test compares them for every number): first the architecture, an unlisted one
 * ends the thread; then the number. An entry without conditions beats those with some, whatever their order; among
 * those, see precedence.ts. Names that an architecture does not have are left out. A number above the newest call that the profile names
 * answers ENOSYS instead of the default, as runc does: programs then fall back to an older call, where EPERM
 * would make them give up.
 */
export interface CompiledFilter {
  /** struct sock_filter[], little endian. */
  program: Uint8Array
  /** SECCOMP_FILTER_FLAG_* for seccomp(2). */
  flags: number
  /** Some call asks a listener. */
  notify: boolean
  /** Names that no architecture has: misspelt, or newer than our tables. */
  ignored: string[]
}

export interface CompileOptions {
  /** The kernel's architecture; default: this machine's. */
  architecture?: NativeArchitecture
  /** False: numbers newer than the profile get the default action like all others. */
  enosysForNewer?: boolean
  /** A name that no architecture has is an error instead of left out. */
  failUnknown?: boolean
  /** SECCOMP_FILTER_FLAG_* that the kernel has; default: all. */
  supportedFlags?: number
}

/** INVALID_ARGUMENT with the JSON path for a word the specification does not have. Pure. */
export function compileSeccomp(profile: Seccomp, options: CompileOptions = {}): CompiledFilter {
  const native = options.architecture ?? nativeArchitecture()
  const architectures = filterArchitectures(profile.architectures, native)
  const rules = readRules(profile)
  const unlisted = actionValue(profile.defaultAction, profile.defaultErrnoRet, 'linux.seccomp.defaultAction')
  const newer = options.enosysForNewer === false ? unlisted : newerAction(profile, unlisted)
  const search = (architecture: Architecture) =>
    searchTree(segments(rules, architecture, unlisted, newer), { unlisted, wide: isWide(architecture) })
  const instructions = shareReturns(dispatch(architectures, search))
  if (instructions.length > maxInstructions)
    throw new KeelsonError(
      'INVALID_ARGUMENT',
      `linux.seccomp: the filter needs ${instructions.length} instructions`,
      {
        path: 'linux.seccomp',
        hint: `the kernel takes ${maxInstructions}: use fewer argument comparisons`,
      },
    )
  const notify = rules.some(({ action }) => action === notifyAction) || unlisted === notifyAction
  return {
    program: encodeProgram(instructions),
    flags: filterFlags(profile, notify, options.supportedFlags ?? ~0),
    notify,
    ignored: unknownNames(profile, options.failUnknown === true),
  }
}

function unknownNames({ syscalls = [] }: Seccomp, fail: boolean): string[] {
  const unknown = syscalls.flatMap(({ names }, index) =>
    names
      .map((name, position) => ({ name, path: `linux.seccomp.syscalls[${index}].names[${position}]` }))
      .filter(({ name }) => !isKnownAnywhere(name)),
  )
  const [first] = unknown
  if (!fail || !first) return [...new Set(unknown.map(({ name }) => name))]
  const { name, path } = first
  throw new KeelsonError('INVALID_ARGUMENT', `${path}: unknown system call ${shown(name)}`, {
    path,
    hint: 'correct it, or leave out the annotation run.oci.seccomp_fail_unknown_syscall',
  })
}

interface Rule {
  name: string
  action: number
  alternatives: Condition[][]
}

function readRules(profile: Seccomp): Rule[] {
  return (profile.syscalls ?? []).flatMap((call, index) => {
    const path = `linux.seccomp.syscalls[${index}]`
    const action = actionValue(call.action, call.errnoRet, `${path}.action`)
    const parsed = alternatives(call, path)
    return call.names.map((name): Rule => ({ name, action, alternatives: parsed }))
  })
}

/** Profiles that allow what they do not name already say what is to happen with new calls. */
const permissive = new Set(['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE'])

function newerAction(profile: Seccomp, unlisted: number): number {
  return permissive.has(profile.defaultAction) ? unlisted : errnoAction | ENOSYS
}

/** A constant, or alternatives tried one after the other. */
type Verdict = number | Alternative[]

/**
 * number → verdict for the calls that the profile names. An entry with the default action takes nothing away from
 * what the others say, but counts as named.
 */
function verdicts(
  rules: readonly Rule[],
  architecture: Architecture,
  unlisted: number,
): Map<number, Verdict> {
  const numbers = syscallNumbers(architecture)
  const wide = isWide(architecture)
  const result = new Map<number, Verdict>()
  const add = (number: number | undefined, action: number, conditions: readonly Condition[]) => {
    if (number === undefined) return
    const known = result.get(number) ?? []
    if (typeof known === 'number') return
    const telling = conditions.filter((condition) => !isAlwaysTrue(condition, wide))
    if (action === unlisted) result.set(number, known)
    else result.set(number, telling.length === 0 ? action : [...known, { conditions: telling, action }])
  }
  for (const { name, action, alternatives } of rules)
    for (const conditions of alternatives) {
      const carried = multiplexedCall(name, architecture)
      if (carried) add(numbers.get(carried.carrier), action, carriedConditions(carried, conditions))
      add(numbers.get(name), action, conditions)
    }
  for (const [number, verdict] of result)
    if (typeof verdict !== 'number') result.set(number, inOrderOfPrecedence(verdict, wide))
  return result
}

/** A mask of nothing. */
function isAlwaysTrue({ operator, value }: Condition, wide: boolean): boolean {
  return operator === 'MASKED_EQ' && (wide ? value : value & 0xffffffffn) === 0n
}

interface Segment {
  start: number
  verdict: Verdict
}

/** ARM has a handful of calls of its own high above all others; they say nothing about the age of a profile. */
const armPrivate = 0xf0000

/**
 * The newest call that the profile names. Those that x86 got late, beside socketcall and ipc, do not count: naming
 * `socket` is naming an old call.
 */
function newestNamed(rules: readonly Rule[], architecture: Architecture): number | undefined {
  const numbers = syscallNumbers(architecture)
  const limit = armPrivate + firstNumber(architecture)
  return rules.reduce<number | undefined>((newest, { name }) => {
    const number = multiplexedCall(name, architecture) ? undefined : numbers.get(name)
    return !number || number >= limit || number < (newest ?? 0) ? newest : number // as for runc, 0 alone is none
  }, undefined)
}

function firstNumber(architecture: Architecture): number {
  return architecture === 'x32' ? x32Bit : 0
}

/** Covers every number from the architecture's first on, ascending, neighbours with the same constant joined. */
function segments(
  rules: readonly Rule[],
  architecture: Architecture,
  unlisted: number,
  newer: number,
): Segment[] {
  const named = verdicts(rules, architecture, unlisted)
  const base = firstNumber(architecture)
  const sorted = [...named.keys()].sort((a, b) => a - b)
  const newest = newestNamed(rules, architecture)
  const elsewhere = (number: number) => (newest !== undefined && number > newest ? newer : unlisted)
  const result: Segment[] = []
  const add = (start: number, verdict: Verdict) => {
    const last = result.at(-1)
    if (last && typeof verdict === 'number' && last.verdict === verdict) return
    if (last?.start === start) result.pop()
    result.push({ start, verdict })
  }
  add(base, elsewhere(base))
  for (const number of sorted) {
    const verdict = named.get(number) ?? unlisted
    add(number, typeof verdict !== 'number' && verdict.length === 0 ? unlisted : verdict)
    if (!named.has(number + 1)) add(number + 1, elsewhere(number + 1))
  }
  return result
}

/** The number is in the accumulator. */
function searchTree(list: readonly Segment[], how: { unlisted: number; wide: boolean }): Instruction[] {
  const [first] = list
  if (!first) return [ret(how.unlisted)]
  if (list.length === 1)
    return typeof first.verdict === 'number'
      ? [ret(first.verdict)]
      : conditionalBody(first.verdict, how.unlisted, how.wide)
  const half = list.length >> 1
  const middle = list[half] ?? first
  return [
    ...skipIf(BPF.JMP_JGE_K, middle.start, searchTree(list.slice(0, half), how)),
    ...searchTree(list.slice(half), how),
  ]
}

/** Architecture first; each body ends in a return, so falling out of the last comparison is an unlisted one. */
function dispatch(
  architectures: readonly Architecture[],
  search: (architecture: Architecture) => Instruction[],
): Instruction[] {
  const bodies = architectures
    .filter((one) => auditValues[one] !== auditValues.x86_64)
    .flatMap((one) => onlyIf(BPF.JMP_JEQ_K, auditValues[one], [load(offsets.number), ...search(one)]))
  return [load(offsets.architecture), ...intel64(architectures, search), ...bodies, ret(killThread)]
}

/** x86_64 and x32 share an audit value; bit 30 of the number tells them apart, and it is in the number -1 as well. */
function intel64(
  architectures: readonly Architecture[],
  search: (architecture: Architecture) => Instruction[],
): Instruction[] {
  const body = (one: Architecture) => (architectures.includes(one) ? search(one) : [ret(killThread)])
  if (!architectures.some((one) => auditValues[one] === auditValues.x86_64)) return []
  return onlyIf(BPF.JMP_JEQ_K, auditValues.x86_64, [
    load(offsets.number),
    ...skipIf(BPF.JMP_JGE_K, x32Bit, body('x86_64')),
    ...body('x32'),
  ])
}
