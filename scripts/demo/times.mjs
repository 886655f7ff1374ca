// When a pod passed its milestones, as seen by a watch.
export const isReady = (pod) =>
  !pod.metadata.deletionTimestamp &&
  (pod.status.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True')

const milestones = [
  () => true,
  (pod) => pod.spec.nodeName !== undefined,
  (pod) => pod.status.podIP !== undefined,
  (pod) => (pod.status.containerStatuses ?? []).some(({ state }) => state?.running),
  isReady,
]

export function podTimes(watch, pod, sinceMs) {
  const seen = watch.history(pod.metadata.uid)
  return [
    pod.metadata.name,
    ...milestones.map((passed) => {
      const found = seen.find(({ object }) => passed(object))
      return found ? found.atMs - sinceMs : '-'
    }),
  ]
}
