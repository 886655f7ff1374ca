import type { ContainerStats, MemoryEntry } from './stats.ts'

type Json = bigint | number | string | null | Json[] | { [name: string]: Json | undefined }

/** One line of runc's `events`, to the letter: what Go's encoder leaves out when it is zero is left out. */
export function encodeEvent(type: 'stats' | 'oom', id: string, stats?: ContainerStats): string {
  return encode({ type, id, ...(stats ? { data: statsDocument(stats) } : {}) })
}

function statsDocument({ cpu, cpuset, memory, pids, blkio, hugetlb }: ContainerStats): Json {
  const { percpu, percpu_kernel, percpu_user, total, kernel, user } = cpu.usage
  const { psi: blkioPressure, ...tables } = blkio
  return {
    cpu: {
      usage: { ...some({ total, percpu, percpu_kernel, percpu_user }), kernel, user },
      throttling: some(cpu.throttling),
      ...some({ psi: cpu.psi as Json | undefined }),
    },
    cpuset: { ...cpuset, ...some({ cpus: cpuset.cpus, mems: cpuset.mems }), ...without(cpuset) },
    memory: {
      ...some({ cache: memory.cache }),
      usage: entry(memory.usage),
      swap: entry(memory.swap),
      kernel: entry(memory.kernel),
      kernelTCP: entry(memory.kernelTCP),
      ...some({ raw: memory.raw, psi: memory.psi as Json | undefined }),
    },
    pids: some(pids),
    blkio: {
      ...some(
        Object.fromEntries(
          Object.entries(tables).map(([name, list]) => [name, list.map((one) => some({ ...one }))]),
        ),
      ),
      ...some({ psi: blkioPressure as Json | undefined }),
    },
    hugetlb: Object.fromEntries(
      Object.entries(hugetlb).map(([size, { usage, max, failcnt }]) => [
        size,
        { ...some({ usage, max }), failcnt },
      ]),
    ),
    intel_rdt: {},
    network_interfaces: null,
  }
}

function entry({ limit, usage, max, failcnt }: MemoryEntry): Json {
  return { limit, ...some({ usage, max }), failcnt }
}

/** Empty lists of the cpuset go, its zeros stay. */
function without({ cpus, mems }: { cpus: number[]; mems: number[] }): { cpus?: undefined; mems?: undefined } {
  return {
    ...(cpus.length === 0 ? { cpus: undefined } : {}),
    ...(mems.length === 0 ? { mems: undefined } : {}),
  }
}

/** Go's omitempty: zero, "", an empty list or map, nothing. */
function some(fields: Record<string, Json | undefined>): Record<string, Json> {
  const isEmpty = (value: Json | undefined) =>
    value === undefined ||
    value === 0n ||
    value === '' ||
    (Array.isArray(value) && value.length === 0) ||
    (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value))) as Record<
    string,
    Json
  >
}

/** JSON.stringify knows no bigint, and a double would round what is above 2^53. */
function encode(value: Json): string {
  if (typeof value === 'bigint') return value.toString()
  if (Array.isArray(value)) return `[${value.map(encode).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).filter((one): one is [string, Json] => one[1] !== undefined)
  return `{${fields.map(([name, one]) => `${JSON.stringify(name)}:${encode(one)}`).join(',')}}`
}
