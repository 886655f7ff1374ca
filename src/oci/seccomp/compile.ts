import { KeelsonError } from '../../base/index.ts'
import type { Seccomp } from '../spec.ts'
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
import {
  actionValue,
  alternatives,
  type Condition,
  ENOSYS,
  errnoAction,
  filterArchitectures,
  filterFlags,
  killThread,
  notifyAction,
} from './profile.ts'
import { type Architecture, syscallNumbers, x32Bit } from './syscall-numbers.ts'

/**
 * Turns a profile into a filter: per architecture a binary search over ranges of numbers with the same verdict.
 * The kernel runs a new filter once for every number to find those it may always allow, so a list that is searched
 * instead of walked loads eight times faster, and libseccomp needs 11 ms to make its one.
 *
 * The verdicts are libseccomp's (a test compares them for every number): first the architecture, an unlisted one
 * ends the thread; then the number. An entry without conditions beats those with some, whatever their order.
 * Names that an architecture does not have are left out. A number above the newest call that the profile names
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
  /** Names that no listed architecture has. */
  ignored: string[]
}

export interface CompileOptions {
  /** The kernel's architecture; default: this machine's. */
  architecture?: 'x86_64' | 'aarch64'
  /** False: numbers newer than the profile get the default action like all others. */
  enosysForNewer?: boolean
}

/** INVALID_ARGUMENT with the JSON path for a word the specification does not have. Pure. */
export function compileSeccomp(profile: Seccomp, options: CompileOptions = {}): CompiledFilter {
  const native = options.architecture ?? (process.arch === 'arm64' ? 'aarch64' : 'x86_64')
  const architectures = filterArchitectures(profile.architectures, native)
  const rules = readRules(profile)
  const unlisted = actionValue(profile.defaultAction, profile.defaultErrnoRet, 'linux.seccomp.defaultAction')
  const newer = options.enosysForNewer === false ? unlisted : newerAction(profile, unlisted)
  const search = (architecture: Architecture) =>
    searchTree(segments(verdicts(rules, architecture, unlisted), architecture, unlisted, newer), {
      unlisted,
      wide: architecture === 'x86_64' || architecture === 'aarch64',
    })
  const instructions = dispatch(architectures, search)
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
  const names = new Set(rules.map(({ name }) => name))
  return {
    program: encodeProgram(instructions),
    flags: filterFlags(profile, notify),
    notify,
    ignored: [...names].filter((name) => !architectures.some((one) => syscallNumbers(one).has(name))),
  }
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

/** A constant, or alternatives tried in the profile's order. */
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
  const result = new Map<number, Verdict>()
  for (const { name, action, alternatives } of rules) {
    const number = numbers.get(name)
    if (number === undefined) continue
    const known = result.get(number)
    if (action === unlisted) {
      if (known === undefined) result.set(number, [])
    } else if (typeof known !== 'number') {
      if (alternatives.some((conditions) => conditions.length === 0)) result.set(number, action)
      else
        result.set(number, [...(known ?? []), ...alternatives.map((conditions) => ({ conditions, action }))])
    }
  }
  return result
}

interface Segment {
  start: number
  verdict: Verdict
}

/** ARM has a handful of calls of its own high above all others; they say nothing about the age of a profile. */
const armPrivate = 0xf0000

/** Covers every number from the architecture's first on, ascending, neighbours with the same constant joined. */
function segments(
  named: ReadonlyMap<number, Verdict>,
  architecture: Architecture,
  unlisted: number,
  newer: number,
): Segment[] {
  const base = architecture === 'x32' ? x32Bit : 0
  const sorted = [...named.keys()].sort((a, b) => a - b)
  const newest = sorted.findLast((number) => number - base < armPrivate)
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

const auditValues: Readonly<Record<Architecture, number>> = {
  x86_64: 0xc000003e,
  x32: 0xc000003e,
  x86: 0x40000003,
  aarch64: 0xc00000b7,
  arm: 0x40000028,
}

/** Architecture first; each body ends in a return, so falling out of the last comparison is an unlisted one. */
function dispatch(
  architectures: readonly Architecture[],
  search: (architecture: Architecture) => Instruction[],
): Instruction[] {
  const bodies = architectures
    .filter((one) => one !== 'x32' && one !== 'x86_64')
    .flatMap((one) => onlyIf(BPF.JMP_JEQ_K, auditValues[one], [load(offsets.number), ...search(one)]))
  return [load(offsets.architecture), ...intel64(architectures, search), ...bodies, ret(killThread)]
}

/** x86_64 and x32 share an audit value; bit 30 of the number tells them apart, and it is in the number -1 as well. */
function intel64(
  architectures: readonly Architecture[],
  search: (architecture: Architecture) => Instruction[],
): Instruction[] {
  if (!architectures.includes('x86_64')) return []
  const x32 = architectures.includes('x32') ? search('x32') : [ret(killThread)]
  return onlyIf(BPF.JMP_JEQ_K, auditValues.x86_64, [
    load(offsets.number),
    ...skipIf(BPF.JMP_JGE_K, x32Bit, search('x86_64')),
    ...x32,
  ])
}
