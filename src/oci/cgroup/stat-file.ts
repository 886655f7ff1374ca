/** The few forms that statistics of cgroups have (Documentation/admin-guide/cgroup-v1, cgroup-v2.rst). All pure. */

/** `max` and unlimited values: the largest number the field holds. */
export const unlimited = 2n ** 64n - 1n

/** A file with one number; `max` is `unlimited`. Undefined when there is none. */
export function parseNumber(text: string): bigint | undefined {
  const trimmed = text.trim()
  if (trimmed === 'max') return unlimited
  return /^\d+$/.test(trimmed) ? BigInt(trimmed) : undefined
}

/** Lines of `name value`. */
export function parseFlat(text: string): Record<string, bigint> {
  const found = [...text.matchAll(/^(\S+) (\d+)$/gm)]
  return Object.fromEntries(found.map(([, name, value]) => [name, BigInt(value ?? 0)]))
}

export interface BlkioEntry {
  major: bigint
  minor: bigint
  op: string
  value: bigint
}

/** v1 blkio: `8:0 Read 4096` or `8:0 4096`; the sum of all devices is left out. */
export function parseBlkio(text: string): BlkioEntry[] {
  return [...text.matchAll(/^(\d+):(\d+) (?:(\w+) )?(\d+)$/gm)].map(
    ([, major = 0, minor = 0, op = '', value = 0]) => ({
      major: BigInt(major),
      minor: BigInt(minor),
      op,
      value: BigInt(value),
    }),
  )
}

/** v2 io.stat: `8:0 rbytes=4096 wbytes=0 …`; `words` names what is wanted and how it is called. */
export function parseIoStat(text: string, words: Readonly<Record<string, string>>): BlkioEntry[] {
  return [...text.matchAll(/^(\d+):(\d+) (.*)$/gm)].flatMap(([, major = 0, minor = 0, fields = '']) =>
    [...fields.matchAll(/(\w+)=(\d+)/g)].flatMap(([, word = '', value = 0]) => {
      const op = words[word]
      return op === undefined
        ? []
        : [{ major: BigInt(major), minor: BigInt(minor), op, value: BigInt(value) }]
    }),
  )
}

export interface Pressure {
  avg10: number
  avg60: number
  avg300: number
  /** Microseconds. */
  total: bigint
}

export interface PressureStats {
  some: Pressure
  full: Pressure
}

/** PSI (Documentation/accounting/psi.rst); undefined where the kernel does not count it. */
export function parsePressure(text: string): PressureStats | undefined {
  if (!text.startsWith('some ')) return undefined
  const line = (kind: string): Pressure => {
    const fields = new RegExp(`^${kind} avg10=(\\S+) avg60=(\\S+) avg300=(\\S+) total=(\\d+)$`, 'm').exec(
      text,
    )
    const [, avg10 = 0, avg60 = 0, avg300 = 0, total = 0] = fields ?? []
    return { avg10: Number(avg10), avg60: Number(avg60), avg300: Number(avg300), total: BigInt(total) }
  }
  return { some: line('some'), full: line('full') }
}

/** `0-3,8` → 0, 1, 2, 3, 8. */
export function parseList(text: string): number[] {
  return [...text.trim().matchAll(/(\d+)(?:-(\d+))?/g)].flatMap(([, first = '', last = first]) =>
    Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => Number(first) + index),
  )
}
