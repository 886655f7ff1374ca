import type { CpuUsage, DeepPartial, IoUsage, MemoryUsage, PsiStats, SwapUsage } from '../../cri/types.ts'
import { type CgroupUsage, type PressureStats, readUsage } from '../oci/index.ts'
import { nowNs, type PodContext } from './context.ts'

/** A cgroup's usage in CRI's words. What the host does not count is absent. */
export interface Usage {
  cpu: DeepPartial<CpuUsage>
  memory: DeepPartial<MemoryUsage>
  swap?: DeepPartial<SwapUsage>
  io?: DeepPartial<IoUsage>
}

export interface Metered {
  /** Of the sandbox or container. */
  id: string
  cgroupPath: string
  beganAtNs: bigint
}

/** Undefined once the cgroup is gone. */
export async function usageOf(
  { cgroupLayout, clock, cpuMeter }: Pick<PodContext, 'cgroupLayout' | 'clock' | 'cpuMeter'>,
  { id, cgroupPath, beganAtNs }: Metered,
): Promise<Usage | undefined> {
  const usage = await readUsage(cgroupLayout, cgroupPath)
  if (!usage) return undefined
  const timestamp = nowNs(clock)
  const rate = cpuMeter.rate(id, { atNs: timestamp, usedNs: usage.cpuNs }, beganAtNs)
  return { ...criUsage(usage, timestamp, rate) }
}

/** Pure. `available` is what the limit leaves, so it is absent without one. */
export function criUsage(usage: CgroupUsage, timestamp: bigint, nanoCores: bigint): Usage {
  const { cpuNs, memory, swap, pressure } = usage
  return {
    cpu: {
      timestamp,
      usageCoreNanoSeconds: { value: cpuNs },
      usageNanoCores: { value: nanoCores },
      ...psi(pressure.cpu),
    },
    memory: {
      timestamp,
      usageBytes: { value: memory.bytes },
      workingSetBytes: { value: memory.workingSetBytes },
      rssBytes: { value: memory.rssBytes },
      pageFaults: { value: memory.minorPageFaults },
      majorPageFaults: { value: memory.majorPageFaults },
      ...available('availableBytes', memory.limitBytes, memory.workingSetBytes),
      ...psi(pressure.memory),
    },
    ...(swap && {
      swap: {
        timestamp,
        swapUsageBytes: { value: swap.bytes },
        ...available('swapAvailableBytes', swap.limitBytes, swap.bytes),
      },
    }),
    ...(pressure.io && { io: { timestamp, ...psi(pressure.io) } }),
  }
}

function available<Name extends string>(name: Name, limit: bigint | undefined, used: bigint) {
  if (limit === undefined) return {}
  return { [name]: { value: limit > used ? limit - used : 0n } } as Record<Name, { value: bigint }>
}

/** The kernel counts microseconds, CRI nanoseconds. */
function psi(stats: PressureStats | undefined): { psi?: PsiStats } {
  if (!stats) return {}
  const data = ({ avg10, avg60, avg300, total }: PressureStats['some']) => ({
    Total: total * 1000n,
    Avg10: avg10,
    Avg60: avg60,
    Avg300: avg300,
  })
  return { psi: { Full: data(stats.full), Some: data(stats.some) } }
}
