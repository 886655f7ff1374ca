import { KeelsonError } from '../../base/index.ts'
import type { LinuxResources } from '../spec.ts'
import { cpuMax, cpuWeight, decimal, ioWeight, limitOrMax, swapMax } from './convert.ts'
import { type BlockIo, rdmaLine, type Setting } from './v1.ts'

/** Resources as v2 settings. `unified` comes last: what the user wrote in the kernel's own words wins. */
export function v2Settings(resources: LinuxResources): Setting[] {
  return [
    ...memorySettings(resources.memory),
    ...cpuSettings(resources.cpu),
    ...cpusetSettings(resources.cpu),
    ...(resources.pids?.limit === undefined ? [] : [setting('pids.max', limitOrMax(resources.pids.limit))]),
    ...hugetlbSettings(resources.hugepageLimits),
    ...ioSettings(resources.blockIO),
    ...Object.entries(resources.rdma ?? {}).map(([device, limits]) =>
      setting('rdma.max', rdmaLine(device, limits)),
    ),
    ...unifiedSettings(resources.unified),
  ]
}

/** The controller of a v2 file is the part before the first dot; `cgroup.…` files belong to none. */
function setting(file: string, value: string, optional?: true): Setting {
  const controller = file.slice(0, file.indexOf('.'))
  return { controller, file, value, ...(optional ? { optional } : {}) }
}

/** Swap before memory, so that lowering the memory limit finds room to push pages out to. */
function memorySettings(memory: LinuxResources['memory']): Setting[] {
  if (!memory) return []
  const swap = swapMax(memory.swap, memory.limit)
  return [
    ...(swap === undefined ? [] : [setting('memory.swap.max', swap, swap === 'max' ? true : undefined)]),
    ...(memory.limit ? [setting('memory.max', limitOrMax(memory.limit))] : []),
    ...(memory.reservation ? [setting('memory.low', limitOrMax(memory.reservation))] : []),
  ]
}

function cpuSettings(cpu: LinuxResources['cpu']): Setting[] {
  if (!cpu) return []
  const weight = cpuWeight(cpu.shares ?? 0)
  const max = cpuMax(cpu.quota, cpu.period)
  return [
    ...(cpu.idle === undefined ? [] : [setting('cpu.idle', decimal(cpu.idle))]),
    ...(weight === undefined || cpu.idle === 1 ? [] : [setting('cpu.weight', decimal(weight))]),
    ...(max === undefined ? [] : [setting('cpu.max', max)]),
    ...(cpu.burst === undefined ? [] : [setting('cpu.max.burst', decimal(cpu.burst))]),
  ]
}

function cpusetSettings(cpu: LinuxResources['cpu']): Setting[] {
  return [
    ...(cpu?.cpus ? [setting('cpuset.cpus', cpu.cpus)] : []),
    ...(cpu?.mems ? [setting('cpuset.mems', cpu.mems)] : []),
  ]
}

/** The `rsvd` twin limits reservations as well; older kernels lack it. */
function hugetlbSettings(limits: LinuxResources['hugepageLimits'] = []): Setting[] {
  return limits.flatMap(({ pageSize, limit }) => [
    setting(`hugetlb.${pageSize}.max`, decimal(limit)),
    setting(`hugetlb.${pageSize}.rsvd.max`, decimal(limit), true),
  ])
}

/** bfq takes the specification's weight as it is; io.weight (io.cost) has its own scale. A kernel has either. */
function ioSettings(blockIO: LinuxResources['blockIO']): Setting[] {
  const block = (blockIO ?? {}) as BlockIo
  const weight = ioWeight(block.weight ?? 0)
  const throttles = [
    ['rbps', block.throttleReadBpsDevice],
    ['wbps', block.throttleWriteBpsDevice],
    ['riops', block.throttleReadIOPSDevice],
    ['wiops', block.throttleWriteIOPSDevice],
  ] as const
  return [
    ...(block.weight ? [setting('io.bfq.weight', decimal(block.weight), true)] : []),
    ...(weight === undefined ? [] : [setting('io.weight', `default ${weight}`, true)]),
    ...throttles.flatMap(([word, devices = []]) =>
      devices.map(({ major, minor, rate }) =>
        setting('io.max', `${major}:${minor} ${word}=${decimal(rate)}`),
      ),
    ),
  ]
}

function unifiedSettings(unified: LinuxResources['unified'] = {}): Setting[] {
  return Object.entries(unified).flatMap(([file, value]) => {
    if (!/^[a-z0-9_]+(\.[A-Za-z0-9_]+)+$/.test(file))
      throw new KeelsonError('INVALID_ARGUMENT', `${JSON.stringify(file)} is no cgroup v2 file`, {
        path: `linux.resources.unified[${JSON.stringify(file)}]`,
        hint: 'give a file name such as memory.high, without a slash',
      })
    return value.split('\n').flatMap((line) => (line === '' ? [] : [setting(file, line)]))
  })
}
