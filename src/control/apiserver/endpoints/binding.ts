import { type Binding, type Pod, timestamp, withCondition } from '../../../api/index.ts'
import { jsonReply } from '../http/message.ts'
import { readObject } from '../registry/decode.ts'
import { named } from '../registry/registry.ts'
import { update } from '../registry/update.ts'
import { writeOptionsOf } from '../registry/write-options.ts'
import { conflict, StatusError } from '../status.ts'
import type { Endpoint } from './endpoint.ts'

const bindingType = { group: '', version: 'v1', kind: 'Binding', definition: 'io.k8s.api.core.v1.Binding' }

/** Gives a pod its node, once: 409 when it has one or is being deleted. */
export const bindPod: Endpoint = async (call) => {
  const { registry, request, warn } = call
  const options = writeOptionsOf(request.query, warn)
  const binding = await readObject<Binding>(request, bindingType, options)
  const nodeName = binding.target?.name
  if (!nodeName) throw new StatusError('BadRequest', 'target.name is required: the node to bind to')
  await update(registry, {
    target: call,
    part: 'binding',
    dryRun: options.dryRun,
    produce: (current) => {
      const pod = current.copy() as Pod
      delete pod.metadata.resourceVersion
      refuse(pod, binding, () => named(call))
      pod.spec.nodeName = nodeName
      const { annotations } = binding.metadata
      if (annotations) pod.metadata.annotations = { ...pod.metadata.annotations, ...annotations }
      pod.status = { ...pod.status, conditions: scheduled(pod, registry.clock.nowMs()) }
      return pod
    },
  })
  return jsonReply(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 })
}

function refuse(pod: Pod, binding: Binding, of: () => Parameters<typeof conflict>[0]): void {
  const { uid, deletionTimestamp } = pod.metadata
  const { name } = of()
  if (binding.metadata.uid !== undefined && binding.metadata.uid !== uid) {
    throw conflict(
      of(),
      `Precondition failed: UID in precondition: ${binding.metadata.uid}, UID in object meta: ${uid}`,
    )
  }
  if (deletionTimestamp !== undefined)
    throw conflict(of(), `pod ${name} is being deleted, cannot be assigned to a host`)
  if (pod.spec.nodeName)
    throw conflict(of(), `pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`)
}

function scheduled(pod: Pod, nowMs: number) {
  const condition = { type: 'PodScheduled', status: 'True', lastTransitionTime: timestamp(nowMs) }
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'PodScheduled')
  return [...withCondition(others, condition, nowMs)]
}
