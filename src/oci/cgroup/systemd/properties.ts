import { KeelsonError } from '../../../base/index.ts'
import { type Value, Variant } from '../../../dbus/index.ts'
import { shown } from '../../shown.ts'
import type { LinuxResources } from '../../spec.ts'
import { checkedWeight, cpuWeight, swapMax } from '../convert.ts'
import { type DeviceMatch, deviceMatches } from '../devices.ts'
import { parseList } from '../stat-file.ts'
import { parseVariant } from './gvariant.ts'
import type { SystemdUnit } from './unit.ts'

export type Property = [name: string, value: Variant]

/** What the host says, for what depends on it. */
export interface SystemdFacts {
  /** 252 of `252.39-1~deb12u1`. */
  version: number
  isV2: boolean
  /** Name of a driver in /proc/devices, such as `pts` for c 136. */
  deviceGroup: (type: 'b' | 'c', major: number) => string | undefined
}

const everything = 2n ** 64n - 1n
const number = (name: string, value: number | bigint): Property => [name, new Variant('t', BigInt(value))]
const flag = (name: string, value: boolean): Property => [name, new Variant('b', value)]
const text = (name: string, value: string): Property => [name, new Variant('s', value)]

/**
 * What a new unit is told besides its limits (runc's docs/systemd.md). Delegate keeps systemd's hands off the groups
 * below; all accounting is on, as without systemd.
 */
export function unitProperties(
  { unit, slice }: SystemdUnit,
  id: string,
  pid: number,
  isV2: boolean,
): Property[] {
  const isSlice = unit.endsWith('.slice')
  return [
    text('Description', `keelson container ${id}`),
    ...(isSlice
      ? [['Wants', new Variant('as', [slice])] as Property]
      : [text('Slice', slice), flag('Delegate', true), ['PIDs', new Variant('au', [pid])] as Property]),
    flag('MemoryAccounting', true),
    flag('CPUAccounting', true),
    flag(isV2 ? 'IOAccounting' : 'BlockIOAccounting', true),
    flag('TasksAccounting', true),
    flag('DefaultDependencies', false),
  ]
}

/** Limits in systemd's own words, so that it does not undo them; files of the cgroup say the rest and the details. */
export function resourceProperties(resources: LinuxResources, facts: SystemdFacts): Property[] {
  const { memory = {}, cpu = {}, pids, blockIO, unified } = resources
  const limit = (name: string, value: number | undefined): Property[] =>
    value ? [number(name, value < 0 ? everything : value)] : []
  const cpus = (name: string, list: string | undefined): Property[] =>
    list && facts.version >= 244 ? [[name, new Variant('ay', cpuBits(list))]] : []
  return [
    ...(facts.isV2
      ? [
          ...limit('MemoryMax', memory.limit),
          ...limit('MemoryLow', memory.reservation),
          ...swapProperty(memory),
          ...weightProperty(cpu, facts),
        ]
      : [
          ...limit('MemoryLimit', memory.limit),
          ...(cpu.shares ? [number('CPUShares', cpu.shares)] : []),
          ...(blockIO?.weight
            ? [number('BlockIOWeight', Number(checkedWeight(blockIO.weight, 'weight')))]
            : []),
        ]),
    ...quotaProperties(cpu.quota, cpu.period),
    ...limit('TasksMax', pids?.limit),
    ...cpus('AllowedCPUs', cpu.cpus),
    ...cpus('AllowedMemoryNodes', cpu.mems),
    ...(facts.isV2 ? Object.entries(unified ?? {}).flatMap((one) => unifiedProperty(one, facts)) : []),
  ]
}

function swapProperty({ swap, limit }: NonNullable<LinuxResources['memory']>): Property[] {
  const value = swapMax(swap, limit)
  return value === undefined ? [] : [number('MemorySwapMax', value === 'max' ? everything : BigInt(value))]
}

/** Since 252 a weight of 0 is systemd's word for cpu.idle. */
function weightProperty(
  { idle, shares }: NonNullable<LinuxResources['cpu']>,
  { version }: SystemdFacts,
): Property[] {
  if (idle === 1) return version >= 252 ? [number('CPUWeight', 0)] : []
  const weight = cpuWeight(shares ?? 0)
  return weight === undefined ? [] : [number('CPUWeight', weight)]
}

/** Microseconds of CPU in a second; systemd keeps whole percents, so it is rounded up to what the files can then lower. */
function quotaProperties(quota: number | undefined, period: number | undefined): Property[] {
  if (!quota && !period) return []
  const perSecond =
    quota && quota > 0 ? Math.ceil((quota * 1e6) / (period || 100_000) / 10_000) * 10_000 : everything
  return [...(period ? [number('CPUQuotaPeriodUSec', period)] : []), number('CPUQuotaPerSecUSec', perSecond)]
}

const unifiedNumbers: Readonly<Record<string, string>> = {
  'cpu.weight': 'CPUWeight',
  'memory.high': 'MemoryHigh',
  'memory.low': 'MemoryLow',
  'memory.min': 'MemoryMin',
  'memory.max': 'MemoryMax',
  'memory.swap.max': 'MemorySwapMax',
  'pids.max': 'TasksMax',
}

/** What systemd knows under another name; the others are only written to their files. */
function unifiedProperty([file, value]: [string, string], { version }: SystemdFacts): Property[] {
  const word = value.trim()
  const name = unifiedNumbers[file]
  if (name && /^(\d+|max)$/.test(word)) return [number(name, word === 'max' ? everything : BigInt(word))]
  if (file === 'cpu.max') {
    const [quota = 'max', period = '100000'] = word.split(/\s+/)
    return quotaProperties(quota === 'max' ? -1 : Number(quota), Number(period))
  }
  if (version >= 244 && file === 'cpuset.cpus') return [['AllowedCPUs', new Variant('ay', cpuBits(word))]]
  if (version >= 244 && file === 'cpuset.mems')
    return [['AllowedMemoryNodes', new Variant('ay', cpuBits(word))]]
  return []
}

/** `0-2,9` as a bit for each number, the lowest first. */
function cpuBits(list: string): Value[] {
  const numbers = parseList(list)
  const bytes = new Array<number>(Math.floor(Math.max(0, ...numbers) / 8) + 1).fill(0)
  for (const one of numbers) bytes[one >> 3] = (bytes[one >> 3] ?? 0) | (1 << (one & 7))
  return bytes
}

/** Device rules too: otherwise systemd would put its own in their place at its next reload. */
export function deviceProperties({ devices }: LinuxResources, { deviceGroup }: SystemdFacts): Property[] {
  const [first, ...rest] = deviceMatches(devices)
  const policy = first?.allow ? 'auto' : 'strict'
  const entries =
    policy === 'auto' ? [] : rest.filter(({ allow }) => allow).flatMap((one) => deviceEntry(one, deviceGroup))
  return [text('DevicePolicy', policy), ['DeviceAllow', new Variant('a(ss)', entries)]]
}

function deviceEntry(
  { type, major, minor, access }: DeviceMatch,
  deviceGroup: SystemdFacts['deviceGroup'],
): [string, string][] {
  return (type === undefined ? (['b', 'c'] as const) : [type]).flatMap((one): [string, string][] => {
    const word = one === 'b' ? 'block' : 'char'
    if (major === undefined) return minor === undefined ? [[`${word}-*`, access]] : []
    if (minor !== undefined) return [[`/dev/${word}/${major}:${minor}`, access]]
    const group = deviceGroup(one, major)
    return group === undefined ? [] : [[`${word}-${group}`, access]]
  })
}

const prefix = 'org.systemd.property.'

/** Annotations `org.systemd.property.NAME`; a name that ends with Sec takes seconds, as unit files do. */
export function annotatedProperties(annotations: Readonly<Record<string, string>> = {}): Property[] {
  return Object.entries(annotations).flatMap(([key, value]): Property[] => {
    if (!key.startsWith(prefix)) return []
    const path = `annotations[${shown(key)}]`
    const name = key.slice(prefix.length)
    if (!/^[A-Za-z]{3,}$/.test(name))
      throw new KeelsonError('INVALID_ARGUMENT', `${path}: ${shown(name)} is no property of a unit`, { path })
    const variant = parseVariant(value, path)
    return [/[^U]Sec$/.test(name) ? seconds(name, variant, path) : [name, variant]]
  })
}

function seconds(name: string, { value }: Variant, path: string): Property {
  if (typeof value !== 'number' && typeof value !== 'bigint')
    throw new KeelsonError('INVALID_ARGUMENT', `${path}: seconds are a number`, { path })
  return number(name.replace(/Sec$/, 'USec'), BigInt(Math.round(Number(value) * 1e6)))
}
