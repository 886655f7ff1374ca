import { KeelsonError } from '../base/index.ts'
import { shown } from './shown.ts'

/**
 * Landlock behind an annotation, until the specification has a section for it. The shape is the one that was proposed
 * there (runtime-spec issues 1110 and 1111), the words are the kernel's (landlock(7)) in small letters:
 *
 *     { "ruleset": { "handledAccessFS": ["all"], "handledAccessNet": ["connect_tcp"], "scoped": ["signal"] },
 *       "rules": { "pathBeneath": [{ "allowedAccess": ["read", "execute"], "paths": ["/"] }],
 *                  "netPort": [{ "allowedAccess": ["connect_tcp"], "ports": [443] }] },
 *       "disableBestEffort": false }
 *
 * What is handled is denied unless a rule allows it. Rules without `handled…` handle everything of their kind. With
 * best effort, what the kernel is too old for is not handled, and that is told; without, it is refused.
 */
export const landlockAnnotation = 'io.keelson.landlock'
const root = `annotations[${JSON.stringify(landlockAnnotation)}]`

interface Right {
  bit: bigint
  /** Version of the ABI that has it. */
  abi: number
}

const fileNames =
  'execute write_file read_file read_dir remove_dir remove_file make_char make_dir make_reg make_sock make_fifo make_block make_sym refer truncate ioctl_dev'
const sinceAbi: Readonly<Record<string, number>> = { refer: 2, truncate: 3, ioctl_dev: 5 }
const table = (names: string, since: (name: string) => number): Readonly<Record<string, Right>> =>
  Object.fromEntries(
    names.split(' ').map((name, index) => [name, { bit: 1n << BigInt(index), abi: since(name) }]),
  )

const kinds = {
  files: table(fileNames, (name) => sinceAbi[name] ?? 1),
  ports: table('bind_tcp connect_tcp', () => 4),
  scopes: table('abstract_unix_socket signal', () => 6),
}
type Kind = keyof typeof kinds

const groups: ReadonlyMap<string, string> = new Map([
  ['read', 'read_file read_dir'],
  ['write', fileNames.replace(/\b(execute|read_file|read_dir|ioctl_dev)\b ?/g, '').trim()],
])
/** The rights that a rule on anything but a directory may name. */
const onFiles = 'execute write_file read_file truncate ioctl_dev'

export interface LandlockPolicy {
  handled: Readonly<Record<Kind, Rights>>
  paths: { path: string; allowed: Rights; at: string }[]
  ports: { port: number; allowed: Rights; at: string }[]
  bestEffort: boolean
}

/** A set of rights, by name, with the JSON path of the list that they came from. */
export interface Rights {
  names: readonly string[]
  at: string
}

/** Undefined without the annotation. INVALID_ARGUMENT with the JSON path inside of it. */
export function parseLandlock(annotations: Record<string, string> | undefined): LandlockPolicy | undefined {
  const text = annotations?.[landlockAnnotation]
  if (text === undefined) return undefined
  const { ruleset, rules, disableBestEffort } = fields(parseJson(text), root, [
    'ruleset',
    'rules',
    'disableBestEffort',
  ])
  if (disableBestEffort !== undefined && typeof disableBestEffort !== 'boolean')
    throw invalid(`${root}.disableBestEffort`, 'must be true or false')
  const given = fields(rules ?? {}, `${root}.rules`, ['pathBeneath', 'netPort'])
  const paths = ruleList(given['pathBeneath'], 'files', 'pathBeneath', 'paths', checkPath)
  const ports = ruleList(given['netPort'], 'ports', 'netPort', 'ports', checkPort)
  const policy: LandlockPolicy = {
    handled: handledOf(ruleset ?? {}, paths.length > 0, ports.length > 0),
    paths: paths.map(({ subject, ...rest }) => ({ path: subject, ...rest })),
    ports: ports.map(({ subject, ...rest }) => ({ port: subject, ...rest })),
    bestEffort: disableBestEffort !== true,
  }
  checkHandled(policy)
  return policy
}

function handledOf(ruleset: unknown, hasPaths: boolean, hasPorts: boolean): LandlockPolicy['handled'] {
  const at = `${root}.ruleset`
  const { handledAccessFS, handledAccessNet, scoped } = fields(ruleset, at, [
    'handledAccessFS',
    'handledAccessNet',
    'scoped',
  ])
  const all = ['all']
  return {
    files: rights(handledAccessFS ?? (hasPaths ? all : []), 'files', `${at}.handledAccessFS`),
    ports: rights(handledAccessNet ?? (hasPorts ? all : []), 'ports', `${at}.handledAccessNet`),
    scopes: rights(scoped ?? [], 'scopes', `${at}.scoped`),
  }
}

function ruleList<T>(
  list: unknown,
  kind: Kind,
  name: string,
  subjects: string,
  check: (value: unknown, at: string) => T,
): { subject: T; allowed: Rights; at: string }[] {
  return items(list ?? [], `${root}.rules.${name}`).flatMap(([rule, at]) => {
    const given = fields(rule, at, ['allowedAccess', subjects])
    const allowed = rights(given['allowedAccess'], kind, `${at}.allowedAccess`)
    if (allowed.names.length === 0) throw invalid(`${at}.allowedAccess`, 'names no right')
    return items(given[subjects], `${at}.${subjects}`).map(([value, place]) => ({
      subject: check(value, place),
      allowed,
      at: place,
    }))
  })
}

/** The kernel refuses a rule that allows what is not handled: it would have no effect. */
function checkHandled({ handled, paths, ports }: LandlockPolicy): void {
  const check = (allowed: Rights, from: Rights) => {
    const stray = allowed.names.find((name) => !from.names.includes(name))
    if (stray !== undefined)
      throw invalid(
        allowed.at,
        `${stray} is allowed but not handled`,
        `add it to ${from.at}, or leave it out`,
      )
  }
  for (const { allowed } of paths) check(allowed, handled.files)
  for (const { allowed } of ports) check(allowed, handled.ports)
}

function rights(list: unknown, kind: Kind, at: string): Rights {
  const known = kinds[kind]
  const names = items(list, at).flatMap(([name, place]) => {
    if (name === 'all') return Object.keys(known)
    if (typeof name === 'string' && Object.hasOwn(known, name)) return [name]
    const group = kind === 'files' ? groups.get(String(name)) : undefined
    if (group !== undefined) return group.split(' ')
    throw invalid(
      place,
      `unknown right ${shown(name)}`,
      `use some of all, ${[...(kind === 'files' ? groups.keys() : []), ...Object.keys(known)].join(', ')}`,
    )
  })
  return { names: [...new Set(names)], at }
}

export interface Mask {
  bits: bigint
  /** What this kernel does not know. */
  missing: string[]
}

/** The rights as bits of the kernel's, as far as an ABI has them. */
export function rightsMask({ names }: Rights, kind: Kind, abi: number): Mask {
  const known = kinds[kind]
  const found = names.map((name) => ({ name, right: known[name] ?? { bit: 0n, abi: 0 } }))
  return {
    bits: found.reduce((bits, { right }) => (right.abi <= abi ? bits | right.bit : bits), 0n),
    missing: found.filter(({ right }) => right.abi > abi).map(({ name }) => name),
  }
}

export const fileRights: Rights = { names: onFiles.split(' '), at: root }

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid(root, 'is not JSON')
  }
}

/** Unlike in config.json a field that nobody knows is refused: a policy with a slip in it would protect less. */
function fields(value: unknown, at: string, known: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(at, 'must be an object')
  const stray = Object.keys(value).find((name) => !known.includes(name))
  if (stray === undefined) return value as Record<string, unknown>
  throw invalid(`${at}.${stray}`, 'is no field of it', `use ${known.join(', ')}`)
}

function items(value: unknown, at: string): [item: unknown, at: string][] {
  if (!Array.isArray(value)) throw invalid(at, 'must be a list')
  return value.map((item, index) => [item, `${at}[${index}]`])
}

function checkPath(value: unknown, at: string): string {
  if (typeof value === 'string' && value.startsWith('/') && !value.includes('\0')) return value
  throw invalid(at, `${shown(value)} is no absolute path`, 'write a path in the container')
}

function checkPort(value: unknown, at: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65535) return value
  throw invalid(at, `${shown(value)} is no port`, 'use 0 to 65535')
}

function invalid(path: string, message: string, hint = 'see docs/guides/landlock.md'): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', `${path}: ${message}`, { path, hint })
}
