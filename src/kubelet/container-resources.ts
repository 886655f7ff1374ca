import * as cri from '../../cri/types.ts'
import { type Container, milliValue, type Pod, wholeValue } from '../api/index.ts'
import { qosClass } from './qos.ts'

const periodUs = 100_000
const quotaMinUs = 1000
const sharesMin = 2
const sharesMax = 262_144
/** Priority from which a pod counts as critical to the node and is as safe from the OOM killer as Guaranteed. */
const criticalPriority = 2_000_000_000

/** CPU shares (1024 per CPU) for a request in thousandths of a CPU. */
export function cpuShares(milli: number): number {
  return Math.min(sharesMax, Math.max(sharesMin, Math.floor((milli * 1024) / 1000)))
}

/** CFS quota in µs per 100 ms period for a limit in thousandths of a CPU. */
export function cpuQuotaUs(milli: number): number {
  return Math.max(quotaMinUs, Math.floor((milli * periodUs) / 1000))
}

/** Who is killed first when memory runs out: 1000 for BestEffort, then by the share of memory asked for. */
export function oomScoreAdj(pod: Pod, container: Container, memoryCapacityBytes: number): number {
  if ((pod.spec?.priority ?? 0) >= criticalPriority) return -997
  const qos = qosClass(pod)
  if (qos === 'Guaranteed') return -997
  if (qos === 'BestEffort') return 1000
  const requested =
    container.resources?.requests?.['memory'] ?? container.resources?.limits?.['memory'] ?? '0'
  const score = 1000 - Math.floor((1000 * wholeValue(requested)) / memoryCapacityBytes)
  return Math.min(999, Math.max(3, score))
}

export function linuxResources(
  pod: Pod,
  container: Container,
  memoryCapacityBytes: number,
): cri.LinuxContainerResources {
  const { requests, limits } = container.resources ?? {}
  const request = requests?.['cpu'] ?? limits?.['cpu']
  const quota = limits?.['cpu'] === undefined ? 0 : milliValue(limits['cpu'])
  return cri.LinuxContainerResources.fromPartial({
    cpuShares: BigInt(request === undefined ? sharesMin : cpuShares(milliValue(request))),
    cpuPeriod: BigInt(periodUs),
    cpuQuota: quota > 0 ? BigInt(cpuQuotaUs(quota)) : 0n,
    memoryLimitInBytes: BigInt(wholeValue(limits?.['memory'] ?? '0')),
    oomScoreAdj: BigInt(oomScoreAdj(pod, container, memoryCapacityBytes)),
  })
}
