import { type KubernetesObject, resources } from '../../../api/index.ts'
import type { Comparison } from '../../store/index.ts'
import { alreadyExists, forbidden, notFound, StatusError } from '../status.ts'
import { allocate } from './allocate.ts'
import { commit, type Refusal, refuseClaim } from './commit.ts'
import { badBody } from './decode.ts'
import { prepareForCreate, validate } from './prepare.ts'
import { type Kind, keyOf, named, type Registry, storedForm, type Target, targetOf } from './registry.ts'
import { Served } from './served.ts'

export interface CreateRequest {
  kind: Kind
  /** From the path; undefined for cluster-wide kinds. */
  namespace: string | undefined
  object: KubernetesObject
  dryRun: boolean
}

const attemptsMax = 8

/** Creates an object. 409 when the name is taken; a generated name that is taken is rolled anew. */
export async function create(registry: Registry, request: CreateRequest): Promise<Served> {
  const { kind, namespace, dryRun } = request
  checkPlace(kind, request.object, namespace)
  const asked = JSON.stringify(request.object)
  for (let attempt = 1; ; attempt++) {
    const object = storedForm(kind, JSON.parse(asked) as KubernetesObject)
    const rolled = !object.metadata.name && object.metadata.generateName !== undefined
    prepareForCreate(registry, kind, object, namespace)
    const guards = await namespaceGuards(registry, kind, namespace, object)
    await allocate(registry, kind, object, undefined)
    validate(kind, object)
    const target = targetOf(kind, object)
    const result = await commit(registry, { target, object, before: undefined, guards, dryRun })
    if (result instanceof Served) return result
    if ('object' in result && !rolled) throw alreadyExists(named(target))
    if (attempt >= attemptsMax) throw exhausted(target, result)
  }
}

function exhausted(target: Target, refusal: Refusal): StatusError {
  if ('claim' in refusal) return refuseClaim(target.kind, target.name, refusal.claim)
  if ('object' in refusal) return alreadyExists(named(target))
  return new StatusError('Timeout', 'too many other writers at this moment: try again')
}

function checkPlace(kind: Kind, { metadata }: KubernetesObject, namespace: string | undefined): void {
  if (
    kind.type.namespaced &&
    metadata.namespace !== undefined &&
    metadata.namespace !== '' &&
    metadata.namespace !== namespace
  ) {
    throw badBody('the namespace of the provided object does not match the namespace sent on the request')
  }
  if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== '') {
    throw badBody('resourceVersion should not be set on objects to be created')
  }
}

/** A namespaced object needs a living namespace, and needs it still at the moment of the commit. */
async function namespaceGuards(
  registry: Registry,
  kind: Kind,
  namespace: string | undefined,
  object: KubernetesObject,
): Promise<Comparison[]> {
  if (!kind.type.namespaced || namespace === undefined) return []
  const target = { kind: registry.kind(resources.namespaces), namespace: undefined, name: namespace }
  const entry = await registry.findEntry(target)
  if (!entry) throw notFound(named(target))
  const { deletionTimestamp } = target.kind.cache.live(entry).object.metadata
  if (deletionTimestamp === undefined) return [{ key: keyOf(target), modRevision: entry.modRevision }]
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`
  const message = `namespace ${namespace} is being terminated`
  const cause = { reason: 'NamespaceTerminating', message, field: 'metadata.namespace' }
  throw forbidden(named({ kind, name: object.metadata.name ?? '' }), why, [cause])
}
