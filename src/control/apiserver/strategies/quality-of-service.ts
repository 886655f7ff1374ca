import type { PodSpec } from '../../../api/index.ts'
import { compareQuantities, isQuantity } from './quantities.ts'

/** How a pod fares under memory pressure: Guaranteed when every container's limits equal its requests. */
export function qosClassOf(spec: PodSpec): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const all = [...(spec.initContainers ?? []), ...spec.containers].map(({ resources }) => resources ?? {})
  const amounts = all.flatMap(({ limits, requests }) => [limits ?? {}, requests ?? {}])
  const asked = amounts.some((one) => isSet(one['cpu']) || isSet(one['memory']))
  if (!asked) return 'BestEffort'
  const guaranteed = all.every(({ limits = {}, requests = {} }) =>
    (['cpu', 'memory'] as const).every((name) => {
      const limit = limits[name]
      const request = requests[name] ?? limit
      return isSet(limit) && isSet(request) && compareQuantities(limit, request) === 0
    }),
  )
  return guaranteed ? 'Guaranteed' : 'Burstable'
}

function isSet(amount: string | undefined): amount is string {
  return amount !== undefined && isQuantity(amount) && compareQuantities(amount, '0') > 0
}
