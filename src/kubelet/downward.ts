import {
  type Container,
  milliValue,
  type Pod,
  parseQuantity,
  type ResourceFieldSelector,
} from '../api/index.ts'
import { KeelsonError } from '../base/index.ts'
import { containersOf, initContainersOf } from './pod-identity.ts'

export interface PodAddresses {
  podIPs: readonly string[]
  hostIPs: readonly string[]
}

const simple: Record<string, (pod: Pod, addresses: PodAddresses) => string> = {
  'metadata.name': (pod) => pod.metadata?.name ?? '',
  'metadata.namespace': (pod) => pod.metadata?.namespace ?? '',
  'metadata.uid': (pod) => pod.metadata?.uid ?? '',
  'metadata.labels': (pod) => mapText(pod.metadata?.labels),
  'metadata.annotations': (pod) => mapText(pod.metadata?.annotations),
  'spec.nodeName': (pod) => pod.spec?.nodeName ?? '',
  'spec.serviceAccountName': (pod) => pod.spec?.serviceAccountName ?? '',
  'spec.host': (pod) => pod.spec?.nodeName ?? '',
  'status.hostIP': (_, { hostIPs }) => hostIPs[0] ?? '',
  'status.hostIPs': (_, { hostIPs }) => hostIPs.join(','),
  'status.podIP': (_, { podIPs }) => podIPs[0] ?? '',
  'status.podIPs': (_, { podIPs }) => podIPs.join(','),
}

/** The text of a `fieldRef` (downward API): one of the fixed paths, or `metadata.labels['key']`. */
export function podFieldText(pod: Pod, path: string, addresses: PodAddresses): string {
  const entry = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path)
  if (entry?.[2] !== undefined) {
    const map = entry[1] === 'labels' ? pod.metadata?.labels : pod.metadata?.annotations
    return map?.[entry[2]] ?? ''
  }
  const read = Object.hasOwn(simple, path) ? simple[path] : undefined
  if (!read) throw new KeelsonError('INVALID_ARGUMENT', `fieldRef cannot read "${path}"`, { path })
  return read(pod, addresses)
}

/** Labels or annotations as a volume file shows them: one `key="value"` a line, sorted. */
function mapText(map: Record<string, string> = {}): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n')
}

/** The number of a `resourceFieldRef`, divided by its divisor and rounded up; no limit means the node's. */
export function containerResourceText(
  pod: Pod,
  container: Container,
  { resource, divisor, containerName }: ResourceFieldSelector,
  allocatable: Record<string, string>,
): string {
  const target = containerName
    ? [...initContainersOf(pod), ...containersOf(pod)].find(({ name }) => name === containerName)
    : container
  if (!target) throw new KeelsonError('INVALID_ARGUMENT', `resourceFieldRef: no container "${containerName}"`)
  const [kind = '', name = ''] = splitOnce(resource)
  const { requests, limits } = target.resources ?? {}
  const text =
    kind === 'limits' ? (limits?.[name] ?? allocatable[name]) : (requests?.[name] ?? limits?.[name] ?? '0')
  if (text === undefined || !['limits', 'requests'].includes(kind))
    throw new KeelsonError('INVALID_ARGUMENT', `resourceFieldRef cannot read "${resource}"`)
  return String(divided(name, text, divisor))
}

function divided(name: string, text: string, divisor: string | undefined): number {
  const { nanos } = parseQuantity(divisor ?? '1')
  const unit = nanos === 0n ? 1_000_000_000n : nanos
  if (name === 'cpu') return Math.ceil(milliValue(text) / Number(unit / 1_000_000n))
  return Number((parseQuantity(text).nanos + unit - 1n) / unit)
}

function splitOnce(text: string): [string, string] {
  const dot = text.indexOf('.')
  return [text.slice(0, dot), text.slice(dot + 1)]
}
