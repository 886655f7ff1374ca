import { KeelsonError } from '../../base/index.ts'
import { shown } from '../shown.ts'
import type { BlockIO, LinuxResources } from '../spec.ts'
import {
  checkedWeight,
  cpuMax,
  cpuWeight,
  decimal,
  hugepageSize,
  ioWeight,
  limitOrMax,
  swapMax,
} from './convert.ts'
import { type Current, currentNumber, type Setting } from './setting.ts'
import { rdmaSettings } from './v1.ts'

/** Resources as v2 settings. `unified` comes last: what the user wrote in the kernel's own words wins. */
export function v2Settings(resources: LinuxResources, current: Current): Setting[] {
  return [
    ...memorySettings(resources.memory),
    ...cpuSettings(resources.cpu, current),
    ...cpusetSettings(resources.cpu),
    ...pidsSettings(resources.pids),
    ...hugetlbSettings(resources.hugepageLimits),
    ...ioSettings(resources.blockIO),
    ...rdmaSettings(resources.rdma),
    ...unifiedSettings(resources.unified),
  ]
}

/** What v2 has no file for; `create` tells. */
export function withoutV2File({ memory = {}, cpu = {}, network, blockIO }: LinuxResources): string[] {
  const asked: [string, unknown][] = [
    ['memory.swappiness', memory.swappiness !== undefined && memory.swappiness >= 0],
    ['memory.disableOOMKiller', memory.disableOOMKiller],
    ['cpu.realtimePeriod', cpu.realtimePeriod],
    ['cpu.realtimeRuntime', cpu.realtimeRuntime],
    ['network', network?.classID || network?.priorities?.length],
    ['blockIO.leafWeight', blockIO?.leafWeight || blockIO?.weightDevice?.some((one) => one.leafWeight)],
  ]
  return asked.filter(([, given]) => given).map(([name]) => name)
}

/** The controller of a v2 file is the part before the first dot; `cgroup.…` files belong to none. */
function setting(field: string, file: string, value: string, more: Partial<Setting> = {}): Setting {
  return { controller: file.slice(0, file.indexOf('.')), field, file, value, ...more }
}

/** Swap before memory, so that lowering the memory limit finds room to push pages out to. */
function memorySettings(memory: LinuxResources['memory']): Setting[] {
  if (!memory) return []
  const swap = swapMax(memory.swap, memory.limit)
  // Without swap accounting there is no swap to allow or forbid.
  const missing = swap === 'max' || swap === '0' ? ({ failure: 'skipAbsent' } as const) : {}
  return [
    ...(swap === undefined ? [] : [setting('memory', 'memory.swap.max', swap, missing)]),
    ...(memory.limit ? [setting('memory', 'memory.max', limitOrMax(memory.limit))] : []),
    ...(memory.reservation ? [setting('memory', 'memory.low', limitOrMax(memory.reservation))] : []),
  ]
}

/** An idle group has no weight, and the kernel refuses one. A burst may not exceed the quota at any moment. */
function cpuSettings(cpu: LinuxResources['cpu'], current: Current): Setting[] {
  if (!cpu) return []
  const weight = cpuWeight(cpu.shares ?? 0)
  const max = cpuMax(cpu.quota, cpu.period)
  const quota = max === undefined ? [] : [setting('cpu', 'cpu.max', max)]
  const burst =
    cpu.burst === undefined
      ? []
      : [setting('cpu', 'cpu.max.burst', decimal(cpu.burst), { failure: 'skipAbsent' })]
  const shrinks = (cpu.burst ?? 0) < (currentNumber(current, 'cpu', 'cpu.max.burst') ?? 0)
  return [
    ...(cpu.idle === undefined ? [] : [setting('cpu', 'cpu.idle', decimal(cpu.idle))]),
    ...(weight === undefined || cpu.idle === 1 ? [] : [setting('cpu', 'cpu.weight', decimal(weight))]),
    ...(shrinks ? [...burst, ...quota] : [...quota, ...burst]),
  ]
}

function cpusetSettings(cpu: LinuxResources['cpu']): Setting[] {
  return [
    ...(cpu?.cpus ? [setting('cpu', 'cpuset.cpus', cpu.cpus)] : []),
    ...(cpu?.mems ? [setting('cpu', 'cpuset.mems', cpu.mems)] : []),
  ]
}

/** A clone into a group that may hold no process at all is refused (EAGAIN): that limit follows. */
function pidsSettings(pids: LinuxResources['pids']): Setting[] {
  if (pids?.limit === undefined) return []
  return [setting('pids', 'pids.max', limitOrMax(pids.limit), pids.limit === 0 ? { late: true } : {})]
}

/** The `rsvd` twin limits reservations as well; older kernels lack it. */
function hugetlbSettings(limits: LinuxResources['hugepageLimits'] = []): Setting[] {
  return limits.flatMap(({ pageSize, limit }, index) => {
    const size = hugepageSize(pageSize, index)
    return [
      setting('hugepageLimits', `hugetlb.${size}.max`, decimal(limit)),
      setting('hugepageLimits', `hugetlb.${size}.rsvd.max`, decimal(limit), { failure: 'skipAbsent' }),
    ]
  })
}

/** bfq takes the specification's weight as it is; io.weight (io.cost) has its own scale. A kernel has either. */
function ioSettings(block: BlockIO = {}): Setting[] {
  const { weight = 0, weightDevice = [] } = block
  const either = (prefix: string, one: number, name: string, more: Partial<Setting>): Setting[] => [
    setting('blockIO', 'io.bfq.weight', `${prefix}${checkedWeight(one, name)}`, { failure: 'skipAbsent' }),
    setting('blockIO', 'io.weight', `${prefix || 'default '}${ioWeight(one)}`, {
      alternative: true,
      ...more,
    }),
  ]
  const throttles = [
    ['rbps', block.throttleReadBpsDevice],
    ['wbps', block.throttleWriteBpsDevice],
    ['riops', block.throttleReadIOPSDevice],
    ['wiops', block.throttleWriteIOPSDevice],
  ] as const
  return [
    ...(weight ? either('', weight, 'weight', {}) : []),
    ...weightDevice.flatMap(({ major, minor, weight: own }, index) =>
      own
        ? either(`${major}:${minor} `, own, `weightDevice[${index}].weight`, { failure: 'skipAbsent' })
        : [],
    ),
    ...throttles.flatMap(([word, devices = []]) =>
      devices.map(({ major, minor, rate }) =>
        // 0 lifts the limit, as on v1.
        setting('blockIO', 'io.max', `${major}:${minor} ${word}=${rate === 0 ? 'max' : decimal(rate)}`),
      ),
    ),
  ]
}

/** A partition is made of the CPUs that the group has by then, so it comes after them. */
function unifiedSettings(unified: LinuxResources['unified'] = {}): Setting[] {
  const files = Object.entries(unified)
  const isPartition = ([file]: [string, string]) => file === 'cpuset.cpus.partition'
  return [...files.filter((one) => !isPartition(one)), ...files.filter(isPartition)].flatMap(
    ([file, value]) => {
      if (!/^[a-z0-9_]+(\.[A-Za-z0-9_]+)+$/.test(file))
        throw new KeelsonError('INVALID_ARGUMENT', `${shown(file)} is no cgroup v2 file`, {
          path: `linux.resources.unified[${shown(file)}]`,
          hint: 'give a file name such as memory.high, without a slash',
        })
      const field = `unified[${shown(file)}]`
      return value.split('\n').flatMap((line) => (line === '' ? [] : [setting(field, file, line)]))
    },
  )
}
