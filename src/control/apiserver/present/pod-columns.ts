import type { ContainerStatus, Pod } from '../../../api/index.ts'
import { age, columns, name, none, since } from './column.ts'

export const podColumns = columns<Pod>(
  name,
  { name: 'Ready', cell: readyText },
  { name: 'Status', cell: statusText },
  { name: 'Restarts', cell: restartsText },
  age,
  { name: 'IP', wide: true, cell: ({ status }) => status?.podIP ?? none },
  { name: 'Node', wide: true, cell: ({ spec }) => spec.nodeName || none },
  { name: 'Nominated Node', wide: true, cell: ({ status }) => status?.nominatedNodeName || none },
  { name: 'Readiness Gates', wide: true, cell: gatesText },
)

function readyText({ spec, status }: Pod): string {
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always')
  const names = new Set(sidecars.map((one) => one.name))
  const statuses = [
    ...(status?.containerStatuses ?? []),
    ...(status?.initContainerStatuses ?? []).filter((one) => names.has(one.name)),
  ]
  return `${statuses.filter(({ ready }) => ready).length}/${spec.containers.length + sidecars.length}`
}

/** The most telling word there is: of a failing init container, else of the containers, else the phase. */
function statusText(pod: Pod): string {
  const { metadata, spec, status } = pod
  if (metadata.deletionTimestamp !== undefined)
    return status?.reason === 'NodeLost' ? 'Unknown' : 'Terminating'
  const gated = status?.conditions?.find(
    ({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated',
  )
  const word = status?.reason || (gated ? 'SchedulingGated' : (status?.phase ?? 'Unknown'))
  const init = initText(pod)
  if (init !== undefined) return init
  const words = [...(status?.containerStatuses ?? [])]
    .reverse()
    .map(containerText)
    .filter((one) => one !== undefined)
  const last = words.at(-1) ?? word
  const running = (status?.containerStatuses ?? []).some(({ ready, state }) => ready && state?.running)
  if (last !== 'Completed' || !running) return last
  const ready = status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True')
  return ready || spec.containers.length === 0 ? 'Running' : 'NotReady'
}

function containerText({ state }: ContainerStatus): string | undefined {
  if (state?.waiting?.reason) return state.waiting.reason
  return state?.terminated ? terminatedText(state.terminated) : undefined
}

function terminatedText({
  reason,
  signal,
  exitCode,
}: {
  reason?: string | undefined
  signal?: number | undefined
  exitCode: number
}): string {
  if (reason) return reason
  return signal ? `Signal:${signal}` : `ExitCode:${exitCode}`
}

/** `Init:…` while an init container has not come through. */
function initText({ spec, status }: Pod): string | undefined {
  const specs = new Map((spec.initContainers ?? []).map((one) => [one.name, one]))
  for (const [i, one] of (status?.initContainerStatuses ?? []).entries()) {
    const { state } = one
    if (state?.terminated?.exitCode === 0) continue
    if (specs.get(one.name)?.restartPolicy === 'Always' && one.started) continue
    if (state?.terminated) return `Init:${terminatedText(state.terminated)}`
    const reason = state?.waiting?.reason
    return reason && reason !== 'PodInitializing' ? `Init:${reason}` : `Init:${i}/${specs.size}`
  }
  return undefined
}

function restartsText({ status }: Pod, nowMs: number): string {
  const statuses = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
  const count = statuses.reduce((sum, { restartCount }) => sum + restartCount, 0)
  const ends = statuses
    .map(({ lastState }) => lastState?.terminated?.finishedAt)
    .filter((one) => one !== undefined)
  const last = ends.sort().at(-1)
  return count > 0 && last !== undefined ? `${count} (${since(last, nowMs)} ago)` : String(count)
}

function gatesText({ spec, status }: Pod): string {
  const gates = spec.readinessGates ?? []
  if (gates.length === 0) return none
  const met = gates.filter(({ conditionType }) =>
    status?.conditions?.some((one) => one.type === conditionType && one.status === 'True'),
  )
  return `${met.length}/${gates.length}`
}
