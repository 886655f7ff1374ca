import type { LinuxResources } from '../spec.ts'
import { decimal } from './convert.ts'
import { deviceWrites } from './devices.ts'

/** One setting: which controller's directory, which file, what. */
export interface Setting {
  controller: string
  file: string
  value: string
  /** The kernel may lack the file; a failure is reported, not fatal. */
  optional?: true
}

/** What is set now, for the settings whose order depends on it: file → text, undefined when unreadable. */
export type Current = (controller: string, file: string) => string | undefined

/** Resources as v1 settings, in the order the kernel wants them within each controller. */
export function v1Settings(resources: LinuxResources, current: Current): Setting[] {
  return [
    ...memorySettings(resources.memory, current),
    ...cpuSettings(resources.cpu),
    ...cpusetSettings(resources.cpu),
    ...pidsSettings(resources.pids),
    ...(resources.hugepageLimits ?? []).map(
      ({ pageSize, limit }): Setting => ({
        controller: 'hugetlb',
        file: `hugetlb.${pageSize}.limit_in_bytes`,
        value: decimal(limit),
      }),
    ),
    ...blockSettings(resources.blockIO),
    ...networkSettings(resources.network),
    ...Object.entries(resources.rdma ?? {}).map(
      ([device, limits]): Setting => ({
        controller: 'rdma',
        file: 'rdma.max',
        value: rdmaLine(device, limits),
      }),
    ),
  ]
}

/** Device rules are apart: only `create` writes them; `update` leaves them alone, as runc does. */
export function v1DeviceSettings(resources: LinuxResources): Setting[] {
  return deviceWrites(resources.devices).map((write) => ({ controller: 'devices', ...write }))
}

/**
 * memsw (memory and swap) may never be below the memory limit. Lowering both: memory first; raising the memory limit
 * beyond what memsw is now: memsw first.
 */
function memorySettings(memory: LinuxResources['memory'], current: Current): Setting[] {
  if (!memory) return []
  const set = (file: string, value: string, optional?: true): Setting => ({
    controller: 'memory',
    file: `memory.${file}`,
    value,
    ...(optional ? { optional } : {}),
  })
  const { limit } = memory
  const swap = memory.swap || (limit === -1 ? -1 : undefined)
  const limitWrite = limit ? [set('limit_in_bytes', decimal(limit))] : []
  const swapWrite = swap ? [set('memsw.limit_in_bytes', decimal(swap), swap === -1 ? true : undefined)] : []
  const now = () => Number(current('memory', 'memory.memsw.limit_in_bytes') ?? Number.POSITIVE_INFINITY)
  const raising = swap !== undefined && (swap === -1 || swap > now())
  return [
    ...(raising ? [...swapWrite, ...limitWrite] : [...limitWrite, ...swapWrite]),
    ...(memory.reservation ? [set('soft_limit_in_bytes', decimal(memory.reservation))] : []),
    ...(memory.kernelTCP ? [set('kmem.tcp.limit_in_bytes', decimal(memory.kernelTCP), true)] : []),
    ...(memory.disableOOMKiller ? [set('oom_control', '1')] : []),
    ...(memory.swappiness === undefined ? [] : [set('swappiness', decimal(memory.swappiness))]),
  ]
}

/** The period before the quota, as a quota above the old period's allowance would be refused; burst after both. */
function cpuSettings(cpu: LinuxResources['cpu']): Setting[] {
  if (!cpu) return []
  const files: [string, number | undefined][] = [
    ['cpu.rt_period_us', cpu.realtimePeriod || undefined],
    ['cpu.rt_runtime_us', cpu.realtimeRuntime || undefined],
    ['cpu.shares', cpu.shares || undefined],
    ['cpu.cfs_period_us', cpu.period || undefined],
    ['cpu.cfs_quota_us', cpu.quota || undefined],
    ['cpu.cfs_burst_us', cpu.burst],
    ['cpu.idle', cpu.idle],
  ]
  return files.flatMap(([file, value]) =>
    value === undefined ? [] : [{ controller: 'cpu', file, value: decimal(value) }],
  )
}

function cpusetSettings(cpu: LinuxResources['cpu']): Setting[] {
  return [
    ...(cpu?.cpus ? [{ controller: 'cpuset', file: 'cpuset.cpus', value: cpu.cpus }] : []),
    ...(cpu?.mems ? [{ controller: 'cpuset', file: 'cpuset.mems', value: cpu.mems }] : []),
  ]
}

/** 0 is a real limit (runtime-spec 1.3), only negative numbers lift it. */
function pidsSettings(pids: LinuxResources['pids']): Setting[] {
  if (pids?.limit === undefined) return []
  return [{ controller: 'pids', file: 'pids.max', value: pids.limit < 0 ? 'max' : decimal(pids.limit) }]
}

export interface BlockIo {
  weight?: number
  leafWeight?: number
  weightDevice?: { major: number; minor: number; weight?: number; leafWeight?: number }[]
  throttleReadBpsDevice?: ThrottleDevice[]
  throttleWriteBpsDevice?: ThrottleDevice[]
  throttleReadIOPSDevice?: ThrottleDevice[]
  throttleWriteIOPSDevice?: ThrottleDevice[]
}

interface ThrottleDevice {
  major: number
  minor: number
  rate: number
}

/** Weights exist only with the bfq scheduler, under a name that changed: the executor may find the file missing. */
function blockSettings(blockIO: LinuxResources['blockIO']): Setting[] {
  const block = (blockIO ?? {}) as BlockIo
  const set = (file: string, value: string, optional?: true): Setting => ({
    controller: 'blkio',
    file: `blkio.${file}`,
    value,
    ...(optional ? { optional } : {}),
  })
  const throttle = (file: string, devices: ThrottleDevice[] = []): Setting[] =>
    devices.map(({ major, minor, rate }) => set(`throttle.${file}`, `${major}:${minor} ${decimal(rate)}`))
  return [
    ...(block.weight ? [set('bfq.weight', decimal(block.weight), true)] : []),
    ...(block.weightDevice ?? []).flatMap(({ major, minor, weight }) =>
      weight ? [set('bfq.weight_device', `${major}:${minor} ${weight}`, true)] : [],
    ),
    ...throttle('read_bps_device', block.throttleReadBpsDevice),
    ...throttle('write_bps_device', block.throttleWriteBpsDevice),
    ...throttle('read_iops_device', block.throttleReadIOPSDevice),
    ...throttle('write_iops_device', block.throttleWriteIOPSDevice),
  ]
}

function networkSettings(network: LinuxResources['network']): Setting[] {
  return [
    ...(network?.classID
      ? [{ controller: 'net_cls', file: 'net_cls.classid', value: decimal(network.classID) }]
      : []),
    ...(network?.priorities ?? []).map(({ name, priority }) => ({
      controller: 'net_prio',
      file: 'net_prio.ifpriomap',
      value: `${name} ${priority}`,
    })),
  ]
}

export function rdmaLine(device: string, limits: { hcaHandles?: number; hcaObjects?: number }): string {
  const handles = limits.hcaHandles === undefined ? '' : ` hca_handle=${limits.hcaHandles}`
  const objects = limits.hcaObjects === undefined ? '' : ` hca_object=${limits.hcaObjects}`
  return `${device}${handles}${objects}`
}
