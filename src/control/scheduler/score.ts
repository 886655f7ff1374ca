import type { Pod } from '../../api/index.ts'
import { matchesTerm, tolerates } from './filters.ts'
import type { NodeView } from './node-view.ts'
import { podRequests } from './requests.ts'

/**
 * How good a node is for a pod that fits, 0 to 100 for each scorer, weighed as Kubernetes weighs its defaults:
 * tolerated taints 3, preferred node affinity 2, least allocated 1, balanced allocation 1, image locality 1.
 */
const scorers: readonly { weight: number; score: (pod: Pod, view: NodeView) => number }[] = [
  { weight: 3, score: taints },
  { weight: 2, score: preferredAffinity },
  { weight: 1, score: leastAllocated },
  { weight: 1, score: balancedAllocation },
  { weight: 1, score: imageLocality },
]

export function scoreOf(pod: Pod, view: NodeView): number {
  return scorers.reduce((total, { weight, score }) => total + weight * score(pod, view), 0)
}

function taints(pod: Pod, { node }: NodeView): number {
  const soft = (node.spec?.taints ?? []).filter(({ effect }) => effect === 'PreferNoSchedule')
  const disliked = soft.filter((taint) => !tolerates(pod, taint)).length
  return 100 / (1 + disliked)
}

function preferredAffinity(pod: Pod, view: NodeView): number {
  const terms = pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  const total = terms.reduce((sum, { weight }) => sum + weight, 0)
  const met = terms
    .filter(({ preference }) => matchesTerm(preference, view))
    .reduce((sum, { weight }) => sum + weight, 0)
  return total === 0 ? 0 : (100 * met) / total
}

function fractions(pod: Pod, view: NodeView): number[] {
  const asked = podRequests(pod)
  return ['cpu', 'memory'].map((name) => {
    const capacity = view.allocatable.get(name) ?? 0
    const used = (view.requested.get(name) ?? 0) + (asked.get(name) ?? 0)
    return capacity === 0 ? 1 : Math.min(1, used / capacity)
  })
}

function leastAllocated(pod: Pod, view: NodeView): number {
  // A node full of pods that ask for nothing is not an empty node.
  const pods = 1 - (view.requested.get('pods') ?? 0) / Math.max(1, view.allocatable.get('pods') ?? 1)
  const free = fractions(pod, view).map((used) => 1 - used)
  return (100 * (free.reduce((sum, one) => sum + one, 0) + pods)) / (free.length + 1)
}

function balancedAllocation(pod: Pod, view: NodeView): number {
  const [cpu = 0, memory = 0] = fractions(pod, view)
  return 100 * (1 - Math.abs(cpu - memory))
}

function imageLocality(pod: Pod, { node }: NodeView): number {
  const present = new Set((node.status?.images ?? []).flatMap(({ names }) => names ?? []))
  const images = (pod.spec?.containers ?? []).map(({ image }) => image ?? '')
  const here = images.filter(
    (image) => present.has(image) || present.has(`docker.io/library/${image}`),
  ).length
  return images.length === 0 ? 0 : (100 * here) / images.length
}
