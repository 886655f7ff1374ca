import { compareQuantities, type Pod } from '../api/index.ts'
import { containersOf, initContainersOf } from './pod-identity.ts'

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort'

const counted = ['cpu', 'memory'] as const

/**
 * Quality of service class: BestEffort names no cpu or memory anywhere, Guaranteed limits both in every container
 * and asks for exactly the limit, the rest is Burstable.
 */
export function qosClass(pod: Pod): QosClass {
  const resources = [...initContainersOf(pod), ...containersOf(pod)].map((one) => one.resources ?? {})
  const named = resources.some(({ requests, limits }) =>
    counted.some((name) => positive(requests?.[name]) || positive(limits?.[name])),
  )
  if (!named) return 'BestEffort'
  const guaranteed = resources.every(({ requests, limits }) =>
    counted.every((name) => positive(limits?.[name]) && same(requests?.[name], limits?.[name])),
  )
  return guaranteed ? 'Guaranteed' : 'Burstable'
}

function positive(text: string | undefined): boolean {
  return text !== undefined && compareQuantities(text, 0) > 0
}

/** An absent request means the limit. */
function same(request: string | undefined, limit: string | undefined): boolean {
  return limit !== undefined && (request === undefined || compareQuantities(request, limit) === 0)
}
