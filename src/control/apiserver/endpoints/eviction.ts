import type { Eviction } from '../../../api/index.ts'
import { jsonReply } from '../http/message.ts'
import { decodeObject, parseBody } from '../registry/decode.ts'
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
  const { dryRun, fieldValidation } = writeOptionsOf(request.query, warn)
  const body = parseBody(await request.body(), request.headers['content-type'], fieldValidation)
  const eviction = decodeObject(evictionType, body, fieldValidation, warn) as Eviction
  const { gracePeriodSeconds, preconditions, propagationPolicy } = eviction.deleteOptions ?? {}
  await remove(registry, call, { gracePeriodSeconds, preconditions, propagationPolicy, dryRun })
  return jsonReply(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 })
}
