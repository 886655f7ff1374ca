import {
  type Deployment,
  formatSelector,
  type KubernetesObject,
  type ReplicaSet,
  type Scale,
  selectorOf,
} from '../../../api/index.ts'
import { jsonReply } from '../http/message.ts'
import { readObject } from '../registry/decode.ts'
import type { Kind } from '../registry/registry.ts'
import type { Served } from '../registry/served.ts'
import { update } from '../registry/update.ts'
import { writeOptionsOf } from '../registry/write-options.ts'
import { invalid } from '../status.ts'
import type { Call, Endpoint } from './endpoint.ts'

export const scaleType = {
  group: 'autoscaling',
  version: 'v1',
  kind: 'Scale',
  definition: 'io.k8s.api.autoscaling.v1.Scale',
}

type Scalable = Deployment | ReplicaSet

/** GET: how many replicas a workload has and should have. */
export const getScale: Endpoint = async (call) => jsonReply(200, scaleOf(await call.registry.get(call)))

export const replaceScale: Endpoint = async (call) => {
  const { request, warn } = call
  const options = writeOptionsOf(request.query, warn)
  const scale = await readObject<Scale>(request, scaleType, options)
  return writeScale(call, () => scale)
}

/** Sets the number of replicas that `produce` makes of the present scale. */
export async function writeScale(call: Call, produce: (present: Scale) => Scale) {
  const { registry, request, kind, warn } = call
  const { dryRun } = writeOptionsOf(request.query, warn)
  const { served } = await update(registry, {
    target: call,
    part: 'main',
    dryRun,
    produce: (current) => withScale(kind, current, produce(scaleOf(current))),
  })
  return jsonReply(200, scaleOf(served))
}

function withScale(kind: Kind, current: Served, { metadata, spec }: Scale): KubernetesObject {
  const object = current.copy() as Scalable
  const replicas = spec?.replicas ?? 0
  if (replicas < 0) {
    const message = `Invalid value: ${replicas}: must be greater than or equal to 0`
    throw invalid('Scale', 'autoscaling', object.metadata.name ?? kind.type.plural, [
      { type: 'FieldValueInvalid', field: 'spec.replicas', message },
    ])
  }
  const { resourceVersion, name = object.metadata.name, uid = object.metadata.uid } = metadata
  object.metadata = { ...object.metadata, name, uid, resourceVersion }
  object.spec = { ...object.spec, replicas } as typeof object.spec
  return object
}

function scaleOf({ object }: Served): Scale {
  const { metadata, spec, status } = object as Scalable
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata
  const replicas = spec?.replicas ?? 1
  const selector = formatSelector(selectorOf(spec?.selector))
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: replicas === 0 ? {} : { replicas },
    status: { replicas: status?.replicas ?? 0, ...(selector ? { selector } : {}) },
  }
}
