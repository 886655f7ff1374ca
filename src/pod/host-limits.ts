import { capabilitiesOfMask } from '../oci/index.ts'
import type { HostLimits } from './spec/spec.ts'

/** What this process may hand on, from /proc/self/status and /proc/self/oom_score_adj (proc(5)). Pure. */
export function readHostLimits(status: string, oomScoreAdj: string): HostLimits {
  const capabilities = capabilitiesOfMask(maskOf(status, 'CapBnd') & maskOf(status, 'CapPrm'))
  const mayLower = capabilities.includes('CAP_SYS_RESOURCE')
  return { capabilities, oomScoreAdjMin: mayLower ? -1000 : Number(oomScoreAdj) }
}

function maskOf(status: string, name: string): bigint {
  const hex = new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1]
  return BigInt(`0x${hex ?? '0'}`)
}
