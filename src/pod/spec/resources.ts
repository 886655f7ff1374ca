import type { LinuxContainerResources } from '../../../cri/types.ts'
import { KeelsonError } from '../../base/index.ts'
import { type DeviceRule, type LinuxResources, validateResources } from '../../oci/index.ts'

/** CRI's limits in the runtime specification's words. 0 means "not asked for". */
export function ociResources(resources: LinuxContainerResources | undefined): LinuxResources {
  if (!resources) return {}
  const cpu = {
    ...asked('shares', resources.cpuShares),
    ...asked('period', resources.cpuPeriod),
    // -1 lifts a quota.
    ...asked('quota', resources.cpuQuota),
    ...(resources.cpusetCpus ? { cpus: resources.cpusetCpus } : {}),
    ...(resources.cpusetMems ? { mems: resources.cpusetMems } : {}),
  }
  const memory = {
    ...asked('limit', resources.memoryLimitInBytes),
    ...asked('swap', resources.memorySwapLimitInBytes),
  }
  const hugepageLimits = resources.hugepageLimits.map(({ pageSize, limit }) => ({
    pageSize,
    limit: Number(limit),
  }))
  return {
    ...(Object.keys(cpu).length > 0 ? { cpu } : {}),
    ...(Object.keys(memory).length > 0 ? { memory } : {}),
    ...(hugepageLimits.length > 0 ? { hugepageLimits } : {}),
    ...(Object.keys(resources.unified).length > 0 ? { unified: resources.unified } : {}),
  }
}

/** INVALID_ARGUMENT with the field's name when a value can never be a limit, before anything is changed. */
export function checkedResources(resources: LinuxContainerResources): LinuxContainerResources {
  const { cpuShares, cpuPeriod, cpuQuota, memoryLimitInBytes, memorySwapLimitInBytes, oomScoreAdj } =
    resources
  const bounds: [name: string, value: bigint, least: bigint, most?: bigint][] = [
    ['cpu_shares', cpuShares, 0n],
    ['cpu_period', cpuPeriod, 0n],
    ['cpu_quota', cpuQuota, -1n],
    ['memory_limit_in_bytes', memoryLimitInBytes, -1n],
    ['memory_swap_limit_in_bytes', memorySwapLimitInBytes, -1n],
    ['oom_score_adj', oomScoreAdj, -1000n, 1000n],
  ]
  for (const [name, value, least, most = value] of bounds)
    if (value < least || value > most)
      throw new KeelsonError('INVALID_ARGUMENT', `${name}: ${value} is out of range`, { path: name })
  validateResources(ociResources(resources))
  return resources
}

function asked<Name extends string>(name: Name, value: bigint): Partial<Record<Name, number>> {
  return value !== 0n ? ({ [name]: Number(value) } as Record<Name, number>) : {}
}

/** Later values replace earlier ones where they are set: an update may name only what changes. */
export function mergeResources(
  before: LinuxContainerResources | undefined,
  update: LinuxContainerResources,
): LinuxContainerResources {
  if (!before) return update
  return {
    cpuPeriod: update.cpuPeriod || before.cpuPeriod,
    cpuQuota: update.cpuQuota || before.cpuQuota,
    cpuShares: update.cpuShares || before.cpuShares,
    memoryLimitInBytes: update.memoryLimitInBytes || before.memoryLimitInBytes,
    oomScoreAdj: update.oomScoreAdj || before.oomScoreAdj,
    cpusetCpus: update.cpusetCpus || before.cpusetCpus,
    cpusetMems: update.cpusetMems || before.cpusetMems,
    hugepageLimits: update.hugepageLimits.length > 0 ? update.hugepageLimits : before.hugepageLimits,
    unified: { ...before.unified, ...update.unified },
    memorySwapLimitInBytes: update.memorySwapLimitInBytes || before.memorySwapLimitInBytes,
  }
}

/** Deny everything, then what every container may use (config-linux.md, default devices), then its own. */
export function deviceRules(privileged: boolean, own: readonly DeviceRule[]): DeviceRule[] {
  if (privileged) return [{ allow: true, access: 'rwm' }]
  const any: DeviceRule[] = [
    { allow: true, type: 'c', access: 'm' },
    { allow: true, type: 'b', access: 'm' },
  ]
  return [
    { allow: false, access: 'rwm' },
    ...any,
    ...usable.map(([major, minor]) => ({ allow: true, type: 'c', major, minor, access: 'rwm' })),
    { allow: true, type: 'c', major: 136, access: 'rwm' },
    ...own,
  ]
}

/** null, zero, full, random, urandom, tty, ptmx. */
const usable = [
  [1, 3],
  [1, 5],
  [1, 7],
  [1, 8],
  [1, 9],
  [5, 0],
  [5, 2],
] as const
