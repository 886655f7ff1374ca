import type { Eviction } from '../../../api/index.ts'
import { jsonReply } from '../http/message.ts'
import { readObject } from '../registry/decode.ts'
import { remove } from '../registry/delete.ts'
import { writeOptionsOf } from '../registry/write-options.ts'
import type { Endpoint } from './endpoint.ts'

const evictionType = {
  group: 'policy',
  version: 'v1',
  kind: 'Eviction',
  definition: 'io.k8s.api.policy.v1.Eviction',
}

/** Deletes a pod on behalf of a drain. There is no disruption budget among the kinds yet that could refuse. */
export const evictPod: Endpoint = async (call) => {
  const { registry, request, warn } = call
  const options = writeOptionsOf(request.query, warn)
  const eviction = await readObject<Eviction>(request, evictionType, options)
  const { gracePeriodSeconds, preconditions, propagationPolicy } = eviction.deleteOptions ?? {}
  await remove(registry, call, {
    gracePeriodSeconds,
    preconditions,
    propagationPolicy,
    dryRun: options.dryRun,
  })
  return jsonReply(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 })
}
