import type { LinuxResources } from '../spec.ts'

/** What holds after an update: what it names replaces, everything else stays. Device rules never change. */
export function mergeResources(before: LinuxResources, update: LinuxResources): LinuxResources {
  const { devices, ...rest } = { ...before, ...update }
  return {
    ...rest,
    ...both('memory', before, update),
    ...both('cpu', before, update),
    ...both('network', before, update),
    ...both('blockIO', before, update),
    ...both('rdma', before, update),
    ...both('unified', before, update),
    ...(before.hugepageLimits || update.hugepageLimits
      ? { hugepageLimits: bySize([...(before.hugepageLimits ?? []), ...(update.hugepageLimits ?? [])]) }
      : {}),
    ...(before.devices ? { devices: before.devices } : {}),
  }
}

/**
 * What an update has to write. Values that the kernel checks against each other come together, with those that were
 * recorded: swap counts the memory in, a quota means nothing without its period, an idle group has no shares.
 */
export function resourcesToWrite(before: LinuxResources, update: LinuxResources): LinuxResources {
  const merged = mergeResources(before, update)
  const { devices, ...rest } = update
  return {
    ...rest,
    ...(update.memory ? { memory: memoryToWrite(before, update.memory) } : {}),
    ...(update.cpu ? { cpu: cpuToWrite(merged.cpu, update.cpu) } : {}),
  }
}

type Memory = NonNullable<LinuxResources['memory']>
type Cpu = NonNullable<LinuxResources['cpu']>

function memoryToWrite({ memory: before = {} }: LinuxResources, update: Memory): Memory {
  if (update.limit === undefined && update.swap === undefined) return update
  // As runc: no limit for memory lifts that of memory and swap too, unless it is named.
  if (update.limit === -1 && update.swap === undefined) return { ...update, swap: -1 }
  const limit = update.limit ?? before.limit
  const swap = update.swap ?? before.swap
  return {
    ...update,
    ...(limit === undefined ? {} : { limit }),
    ...(swap === undefined ? {} : { swap }),
  }
}

function cpuToWrite(merged: Cpu = {}, update: Cpu): Cpu {
  const isBandwidth = update.quota !== undefined || update.period !== undefined || update.burst !== undefined
  const { quota, period, burst, idle } = merged
  return {
    ...update,
    ...(isBandwidth
      ? {
          ...(quota === undefined ? {} : { quota }),
          ...(period === undefined ? {} : { period }),
          ...(burst === undefined ? {} : { burst }),
        }
      : {}),
    ...(update.shares !== undefined && idle !== undefined ? { idle } : {}),
    ...(update.idle === 0 && merged.shares !== undefined ? { shares: merged.shares } : {}),
  }
}

function both<Name extends 'memory' | 'cpu' | 'network' | 'blockIO' | 'rdma' | 'unified'>(
  name: Name,
  before: LinuxResources,
  update: LinuxResources,
): Pick<LinuxResources, Name> {
  if (!before[name] && !update[name]) return {} as Pick<LinuxResources, Name>
  return { [name]: { ...before[name], ...update[name] } } as unknown as Pick<LinuxResources, Name>
}

function bySize(limits: NonNullable<LinuxResources['hugepageLimits']>) {
  return [...new Map(limits.map((one) => [one.pageSize, one])).values()]
}
