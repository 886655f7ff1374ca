import { type CgroupLayout, v1Hierarchy } from './layout.ts'
import { parseFlat, parseNumber, unlimited } from './stat-file.ts'
import { type StatReader, statReader } from './stats.ts'
import { directories } from './usage.ts'

/**
 * Limits as the kernel enforces them, in the specification's numbers whichever version has the controller, and how
 * often they were hit. Absent: no limit, or this host has no such file.
 */
export interface CgroupInForce {
  cpu: { shares?: bigint; periodUs?: bigint; quotaUs?: bigint }
  memory: {
    limitBytes?: bigint
    reservationBytes?: bigint
    /** Memory and swap together. */
    swapLimitBytes?: bigint
    /** Times that usage was at the limit and something had to go. */
    hits: bigint
    /** Processes that the OOM killer ended. */
    oomKills: bigint
  }
}

export async function readInForce(layout: CgroupLayout, path: string): Promise<CgroupInForce> {
  const directoryOf = directories(layout, path)
  const cpu = statReader(directoryOf('cpu'))
  const memory = statReader(directoryOf('memory'))
  const [cpuLimits, memoryLimits] = await Promise.all([
    v1Hierarchy(layout, 'cpu') ? v1Cpu(cpu) : v2Cpu(cpu),
    v1Hierarchy(layout, 'memory') ? v1Memory(memory) : v2Memory(memory),
  ])
  return { cpu: cpuLimits, memory: memoryLimits }
}

/** v2 weight (1…10000) → cpu.shares: the way back along the curve of `cpuWeight`. */
export function cpuShares(weight: bigint): bigint {
  const { log10, sqrt, round } = Math
  const log2 = (sqrt(125 ** 2 + 4 * 612 * (log10(Number(weight)) + 7 / 34)) - 125) / 2
  return BigInt(round(2 ** log2))
}

async function v1Cpu({ text }: StatReader): Promise<CgroupInForce['cpu']> {
  const [shares, periodUs, quotaUs] = await Promise.all(
    ['cpu.shares', 'cpu.cfs_period_us', 'cpu.cfs_quota_us'].map(async (file) =>
      parseNumber(await text(file)),
    ),
  )
  return defined({ shares, periodUs, quotaUs })
}

async function v2Cpu({ text }: StatReader): Promise<CgroupInForce['cpu']> {
  const [weight, max] = await Promise.all([text('cpu.weight'), text('cpu.max')])
  const [quota = '', period = ''] = max.trim().split(' ')
  const parsed = parseNumber(weight)
  return defined({
    shares: parsed === undefined ? undefined : cpuShares(parsed),
    periodUs: parseNumber(period),
    quotaUs: finite(parseNumber(quota)),
  })
}

async function v1Memory({ text, number }: StatReader): Promise<CgroupInForce['memory']> {
  const limit = async (file: string) => finite(parseNumber(await text(file)))
  const [limitBytes, reservationBytes, swapLimitBytes, hits, control] = await Promise.all([
    limit('memory.limit_in_bytes'),
    limit('memory.soft_limit_in_bytes'),
    limit('memory.memsw.limit_in_bytes'),
    number('memory.failcnt'),
    text('memory.oom_control'),
  ])
  const oomKills = parseFlat(control)['oom_kill'] ?? 0n
  return { ...defined({ limitBytes, reservationBytes, swapLimitBytes }), hits, oomKills }
}

async function v2Memory({ text }: StatReader): Promise<CgroupInForce['memory']> {
  const limit = async (file: string) => finite(parseNumber(await text(file)))
  const [limitBytes, low, swap, events] = await Promise.all([
    limit('memory.max'),
    limit('memory.low'),
    limit('memory.swap.max'),
    text('memory.events'),
  ])
  const { max: hits = 0n, oom_kill: oomKills = 0n } = parseFlat(events)
  const swapLimitBytes = limitBytes === undefined || swap === undefined ? undefined : limitBytes + swap
  return {
    ...defined({ limitBytes, reservationBytes: low === 0n ? undefined : low, swapLimitBytes }),
    hits,
    oomKills,
  }
}

/** v1 writes its largest number of pages for "no limit", v2 the word `max`. */
function finite(value: bigint | undefined): bigint | undefined {
  return value === undefined || value === unlimited || value >= 2n ** 62n ? undefined : value
}

type Present<Values> = { [Name in keyof Values]?: Exclude<Values[Name], undefined> }

function defined<Values extends Record<string, bigint | undefined>>(values: Values): Present<Values> {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as Present<Values>
}
