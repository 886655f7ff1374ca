import { type Container, type Pod, parseQuantity } from '../../api/index.ts'

/** Amounts by resource name: cpu in millicores, everything else in its own unit (bytes, counts). */
export type Amounts = ReadonlyMap<string, number>

/**
 * What a pod asks of a node: the sum over its containers, or an init container where one alone asks for more, plus
 * the pod's overhead. Init containers that stay (restartPolicy Always) count with the containers. One pod also
 * takes one of the node's `pods`.
 */
export function podRequests({ spec }: Pod): Amounts {
  const stays = (container: Container) => container.restartPolicy === 'Always'
  const inits = spec?.initContainers ?? []
  const running = [...(spec?.containers ?? []), ...inits.filter(stays)].map(requestsOf)
  const passing = inits.filter((container) => !stays(container)).map(requestsOf)
  return sum([largest([sum(running), ...passing]), amounts(spec?.overhead), new Map([['pods', 1]])])
}

export function amounts(list: Readonly<Record<string, string>> | undefined): Amounts {
  return new Map(Object.entries(list ?? {}).map(([name, quantity]) => [name, amountOf(name, quantity)]))
}

export function sum(parts: readonly Amounts[]): Amounts {
  const total = new Map<string, number>()
  for (const part of parts)
    for (const [name, amount] of part) total.set(name, (total.get(name) ?? 0) + amount)
  return total
}

function largest(parts: readonly Amounts[]): Amounts {
  const most = new Map<string, number>()
  for (const part of parts)
    for (const [name, amount] of part) most.set(name, Math.max(most.get(name) ?? 0, amount))
  return most
}

function requestsOf({ resources }: Container): Amounts {
  // A limit without a request asks for the limit.
  return amounts({ ...resources?.limits, ...resources?.requests })
}

function amountOf(name: string, quantity: string): number {
  const { nanos } = parseQuantity(quantity)
  return Number(nanos) / (name === 'cpu' ? 1e6 : 1e9)
}
