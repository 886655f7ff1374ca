/**
 * The kernel checks quota, period and burst against each other and against the parent's share at every single write
 * (tg_set_cfs_bandwidth), so a change of several goes through states in between, each of which has to be allowed.
 */
interface Bandwidth {
  quota: number | undefined
  period: number | undefined
  burst: number | undefined
}

const defaultPeriodUs = 100_000

export type BandwidthStep = 'quota' | 'period' | 'burst'

/** In which order to write what is wanted, given what is there. A quota of 0 or less is none. */
export function bandwidthOrder(wanted: Bandwidth, now: Bandwidth): BandwidthStep[] {
  const first: BandwidthStep[] = periodFirst(wanted, now) ? ['period', 'quota'] : ['quota', 'period']
  // A burst may not exceed the quota: it shrinks before the quota does, and grows after.
  const shrinks = wanted.burst !== undefined && wanted.burst < (now.burst ?? 0)
  const order: BandwidthStep[] = shrinks ? ['burst', ...first] : [...first, 'burst']
  return order.filter((step) => wanted[step] !== undefined)
}

/** Whichever state in between asks for the smaller share of a CPU, as the parent may allow no more than the final one. */
function periodFirst(wanted: Bandwidth, now: Bandwidth): boolean {
  const oldQuota = share(now.quota)
  const newQuota = wanted.quota === undefined ? oldQuota : share(wanted.quota)
  const oldPeriod = now.period ?? defaultPeriodUs
  const newPeriod = wanted.period ?? oldPeriod
  if (oldQuota === Number.POSITIVE_INFINITY) return true
  return oldQuota / newPeriod <= newQuota / oldPeriod
}

function share(quota: number | undefined): number {
  return quota === undefined || quota <= 0 ? Number.POSITIVE_INFINITY : quota
}
