import { KeelsonError } from '../../base/index.ts'
import type { BlockIO, LinuxResources, ThrottleDevice } from '../spec.ts'
import { checkedWeight, decimal, hugepageSize } from './convert.ts'
import { bandwidthOrder } from './cpu-bandwidth.ts'
import { deviceWrites } from './devices.ts'
import { type Current, currentNumber, type Setting } from './setting.ts'

/** Resources as v1 settings, in the order the kernel wants them within each controller. */
export function v1Settings(resources: LinuxResources, current: Current): Setting[] {
  return [
    ...memorySettings(resources.memory, current),
    ...cpuSettings(resources.cpu, current),
    ...cpusetSettings(resources.cpu),
    ...pidsSettings(resources.pids),
    ...hugetlbSettings(resources.hugepageLimits),
    ...blockSettings(resources.blockIO),
    ...networkSettings(resources.network),
    ...rdmaSettings(resources.rdma),
  ]
}

/** Device rules are apart: only `create` writes them; `update` leaves them alone, as runc does. */
export function v1DeviceSettings(resources: LinuxResources): Setting[] {
  return deviceWrites(resources.devices).map((write) => ({
    controller: 'devices',
    field: 'devices',
    ...write,
  }))
}

/**
 * memsw (memory and swap) may never be below the memory limit. Lowering both: memory first; raising the memory limit
 * beyond what memsw is now: memsw first. Kernel memory limits are gone from the kernel and ignored.
 */
function memorySettings(memory: LinuxResources['memory'], current: Current): Setting[] {
  if (!memory) return []
  const set = (file: string, value: string, more: Partial<Setting> = {}): Setting => ({
    controller: 'memory',
    field: 'memory',
    file: `memory.${file}`,
    value,
    ...more,
  })
  const { limit, swappiness } = memory
  const swap = memory.swap || (limit === -1 ? -1 : undefined)
  const limitWrite = limit ? [set('limit_in_bytes', decimal(limit))] : []
  // Without swap accounting there is no memsw file, and nothing to lift.
  const unlimited = swap === -1 ? ({ failure: 'skipAbsent' } as const) : {}
  const swapWrite = swap ? [set('memsw.limit_in_bytes', decimal(swap), unlimited)] : []
  const now = currentNumber(current, 'memory', 'memory.memsw.limit_in_bytes') ?? Number.POSITIVE_INFINITY
  const raising = swap !== undefined && (swap === -1 || swap > now)
  return [
    ...(raising ? [...swapWrite, ...limitWrite] : [...limitWrite, ...swapWrite]),
    ...(memory.reservation ? [set('soft_limit_in_bytes', decimal(memory.reservation))] : []),
    ...(memory.disableOOMKiller ? [set('oom_control', '1')] : []),
    ...(swappiness === undefined || swappiness < 0 ? [] : [set('swappiness', checkedSwappiness(swappiness))]),
  ]
}

function checkedSwappiness(swappiness: number): string {
  if (swappiness <= 100) return decimal(swappiness)
  const path = 'linux.resources.memory.swappiness'
  throw new KeelsonError('INVALID_ARGUMENT', `${path}: ${swappiness} is out of range`, {
    path,
    hint: 'use 0 to 100',
  })
}

/** Shares of an idle group are refused by the kernel, so that switch is thrown at the right end. */
function cpuSettings(cpu: LinuxResources['cpu'], current: Current): Setting[] {
  if (!cpu) return []
  const set = (file: string, value: number, more: Partial<Setting> = {}): Setting => ({
    controller: 'cpu',
    field: 'cpu',
    file: `cpu.${file}`,
    value: decimal(value),
    ...more,
  })
  const idle = cpu.idle === undefined ? [] : [set('idle', cpu.idle)]
  return [
    ...realtimeSettings(cpu, current, set),
    ...(cpu.idle === 1 ? [] : idle),
    ...(cpu.shares && cpu.idle !== 1 ? [set('shares', checkedShares(cpu.shares))] : []),
    ...bandwidthSettings(cpu, current, set),
    ...(cpu.idle === 1 ? idle : []),
  ]
}

type SetCpu = (file: string, value: number, more?: Partial<Setting>) => Setting

/** The runtime must fit the period at any moment: growing periods come first, shrinking ones last. */
function realtimeSettings(
  { realtimePeriod, realtimeRuntime }: NonNullable<LinuxResources['cpu']>,
  current: Current,
  set: SetCpu,
): Setting[] {
  const period = realtimePeriod ? [set('rt_period_us', realtimePeriod)] : []
  const runtime = realtimeRuntime ? [set('rt_runtime_us', realtimeRuntime)] : []
  const now = currentNumber(current, 'cpu', 'cpu.rt_period_us') ?? 0
  return (realtimePeriod ?? 0) >= now ? [...period, ...runtime] : [...runtime, ...period]
}

function bandwidthSettings(
  { quota, period, burst }: NonNullable<LinuxResources['cpu']>,
  current: Current,
  set: SetCpu,
): Setting[] {
  const now = (file: string) => currentNumber(current, 'cpu', `cpu.cfs_${file}_us`)
  const wanted = { quota: quota || undefined, period: period || undefined, burst }
  const order = bandwidthOrder(wanted, { quota: now('quota'), period: now('period'), burst: now('burst') })
  return order.map((step) =>
    set(`cfs_${step}_us`, wanted[step] ?? 0, step === 'burst' ? { failure: 'skipAbsent' } : {}),
  )
}

/** The kernel would round them in silence; runc refuses too. */
function checkedShares(shares: number): number {
  if (shares >= 2 && shares <= 262144) return shares
  const path = 'linux.resources.cpu.shares'
  throw new KeelsonError('INVALID_ARGUMENT', `${path}: ${shares} is out of range`, {
    path,
    hint: 'use 2 to 262144',
  })
}

function cpusetSettings(cpu: LinuxResources['cpu']): Setting[] {
  const set = (file: string, value: string | undefined): Setting[] =>
    value ? [{ controller: 'cpuset', field: 'cpu', file: `cpuset.${file}`, value }] : []
  return [...set('cpus', cpu?.cpus), ...set('mems', cpu?.mems)]
}

/** 0 is a real limit (runtime-spec 1.3), only negative numbers lift it. */
function pidsSettings(pids: LinuxResources['pids']): Setting[] {
  if (pids?.limit === undefined) return []
  const value = pids.limit < 0 ? 'max' : decimal(pids.limit)
  return [{ controller: 'pids', field: 'pids', file: 'pids.max', value }]
}

/** The `rsvd` twin limits reservations as well; older kernels lack it. */
function hugetlbSettings(limits: LinuxResources['hugepageLimits'] = []): Setting[] {
  return limits.flatMap(({ pageSize, limit }, index) => {
    const size = hugepageSize(pageSize, index)
    const common = { controller: 'hugetlb', field: 'hugepageLimits', value: decimal(limit) }
    return [
      { ...common, file: `hugetlb.${size}.limit_in_bytes` },
      { ...common, file: `hugetlb.${size}.rsvd.limit_in_bytes`, failure: 'skipAbsent' as const },
    ]
  })
}

/** Weights exist with the bfq scheduler, under its name; before that (CFQ, Linux < 5.0) without it. */
function blockSettings(block: BlockIO = {}): Setting[] {
  const set = (file: string, value: string, more: Partial<Setting> = {}): Setting => ({
    controller: 'blkio',
    field: 'blockIO',
    file: `blkio.${file}`,
    value,
    ...more,
  })
  const either = (file: string, value: string): Setting[] => [
    set(`bfq.${file}`, value, { failure: 'skipAbsent' }),
    set(file, value, { alternative: true }),
  ]
  const throttle = (file: string, devices: ThrottleDevice[] = []): Setting[] =>
    devices.map(({ major, minor, rate }) => set(`throttle.${file}`, `${major}:${minor} ${decimal(rate)}`))
  const { weight, leafWeight } = block
  return [
    ...(weight ? either('weight', checkedWeight(weight, 'weight')) : []),
    ...(leafWeight ? [set('leaf_weight', checkedWeight(leafWeight, 'leafWeight'))] : []),
    ...(block.weightDevice ?? []).flatMap(({ major, minor, weight, leafWeight }, index) => {
      const line = (value: number, name: string) =>
        `${major}:${minor} ${checkedWeight(value, `weightDevice[${index}].${name}`)}`
      return [
        ...(weight ? either('weight_device', line(weight, 'weight')) : []),
        ...(leafWeight ? [set('leaf_weight_device', line(leafWeight, 'leafWeight'))] : []),
      ]
    }),
    ...throttle('read_bps_device', block.throttleReadBpsDevice),
    ...throttle('write_bps_device', block.throttleWriteBpsDevice),
    ...throttle('read_iops_device', block.throttleReadIOPSDevice),
    ...throttle('write_iops_device', block.throttleWriteIOPSDevice),
  ]
}

function networkSettings(network: LinuxResources['network']): Setting[] {
  const { classID, priorities = [] } = network ?? {}
  return [
    ...(classID
      ? [{ controller: 'net_cls', field: 'network', file: 'net_cls.classid', value: decimal(classID) }]
      : []),
    ...priorities.map(({ name, priority }) => ({
      controller: 'net_prio',
      field: 'network',
      file: 'net_prio.ifpriomap',
      value: `${name} ${priority}`,
    })),
  ]
}

/** The same file on both versions. */
export function rdmaSettings(rdma: LinuxResources['rdma'] = {}): Setting[] {
  return Object.entries(rdma).map(([device, { hcaHandles, hcaObjects }]) => {
    const handles = hcaHandles === undefined ? '' : ` hca_handle=${hcaHandles}`
    const objects = hcaObjects === undefined ? '' : ` hca_object=${hcaObjects}`
    return { controller: 'rdma', field: 'rdma', file: 'rdma.max', value: `${device}${handles}${objects}` }
  })
}
