import {
  type ContainerPort,
  meets,
  type NodeSelectorTerm,
  type Pod,
  type Requirement,
  type Taint,
} from '../../api/index.ts'
import type { NodeView } from './node-view.ts'
import { podRequests } from './requests.ts'

/**
 * Each filter says why a pod cannot run on a node, in the words people know from `kubectl describe`, or undefined.
 * They run in this order and the first refusal counts.
 */
export type Filter = (pod: Pod, view: NodeView) => string | undefined

export const filters: readonly Filter[] = [
  nodeUnschedulable,
  nodeName,
  taintToleration,
  nodeAffinity,
  nodePorts,
  resourcesFit,
]

/** Every filter that passes gives undefined; otherwise the reasons of the first that does not. */
export function whyNot(pod: Pod, view: NodeView): string | undefined {
  for (const filter of filters) {
    const reason = filter(pod, view)
    if (reason !== undefined) return reason
  }
  return undefined
}

function nodeUnschedulable(pod: Pod, { node }: NodeView): string | undefined {
  if (!node.spec?.unschedulable) return undefined
  const taint: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }
  return tolerates(pod, taint) ? undefined : 'node(s) were unschedulable'
}

function nodeName(pod: Pod, view: NodeView): string | undefined {
  const wanted = pod.spec?.nodeName
  return wanted && wanted !== view.name ? "node(s) didn't match the requested node name" : undefined
}

function taintToleration(pod: Pod, { node }: NodeView): string | undefined {
  const hostile = (node.spec?.taints ?? []).find(
    (taint) => taint.effect !== 'PreferNoSchedule' && !tolerates(pod, taint),
  )
  return hostile && `node(s) had untolerated taint {${hostile.key}: ${hostile.value ?? ''}}`
}

/** v1 Toleration: an empty key with Exists matches all, an empty effect matches every effect. */
export function tolerates(pod: Pod, taint: Taint): boolean {
  return (pod.spec?.tolerations ?? []).some(({ key, operator = 'Equal', value, effect }) => {
    if (effect && effect !== taint.effect) return false
    if (operator === 'Exists') return !key || key === taint.key
    return key === taint.key && (value ?? '') === (taint.value ?? '')
  })
}

function nodeAffinity(pod: Pod, view: NodeView): string | undefined {
  const labels = view.node.metadata.labels ?? {}
  const selected = Object.entries(pod.spec?.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const matches = !required || required.nodeSelectorTerms.some((term) => matchesTerm(term, view))
  return selected && matches ? undefined : "node(s) didn't match Pod's node affinity/selector"
}

/** An empty term matches nothing, and the only field there is to match is the name (v1 NodeSelectorTerm). */
export function matchesTerm(
  { matchExpressions = [], matchFields = [] }: NodeSelectorTerm,
  { node }: NodeView,
): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false
  const labels = node.metadata.labels ?? {}
  return (
    matchExpressions.every((one) => meets(requirement(one), labels[one.key])) &&
    matchFields.every((one) => one.key === 'metadata.name' && meets(requirement(one), node.metadata.name))
  )
}

function requirement({
  key,
  operator,
  values = [],
}: {
  key: string
  operator: string
  values?: string[] | undefined
}): Requirement {
  return { key, operator: operator as Requirement['operator'], values }
}

function nodePorts(pod: Pod, view: NodeView): string | undefined {
  const wanted = hostPorts(pod)
  if (wanted.length === 0) return undefined
  const taken = view.pods.filter((other) => other.metadata.uid !== pod.metadata.uid).flatMap(hostPorts)
  const clash = wanted.some((one) => taken.some((other) => clashes(one, other)))
  return clash ? "node(s) didn't have free ports for the requested pod ports" : undefined
}

function hostPorts(pod: Pod): ContainerPort[] {
  return (pod.spec?.containers ?? []).flatMap(({ ports }) => ports ?? []).filter(({ hostPort }) => hostPort)
}

function clashes(a: ContainerPort, b: ContainerPort): boolean {
  const any = (ip: string | undefined) => !ip || ip === '0.0.0.0'
  const sameAddress = any(a.hostIP) || any(b.hostIP) || a.hostIP === b.hostIP
  return a.hostPort === b.hostPort && (a.protocol ?? 'TCP') === (b.protocol ?? 'TCP') && sameAddress
}

function resourcesFit(pod: Pod, view: NodeView): string | undefined {
  const lacking = [...podRequests(pod)]
    .filter(([name, amount]) => amount > 0 && amount > view.free(name))
    .map(([name]) => name)
  if (lacking.length === 0) return undefined
  return lacking.map((name) => (name === 'pods' ? 'Too many pods' : `Insufficient ${name}`)).join(', ')
}
