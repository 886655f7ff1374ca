import type { KubernetesObject } from '../../../api/index.ts'
import type { Entry } from '../../store/index.ts'
import { conflict, notFound, type StatusError } from '../status.ts'
import { allocate } from './allocate.ts'
import { commit, refuseClaim } from './commit.ts'
import { create } from './create.ts'
import { badBody } from './decode.ts'
import { isGone } from './delete.ts'
import { type Part, prepareForUpdate, validate } from './prepare.ts'
import { named, type Registry, storedForm, type Target } from './registry.ts'
import { encode, Served } from './served.ts'

export interface UpdateRequest {
  target: Target
  /** Makes the new version from the present one; called again when somebody else was faster. */
  produce: (current: Served) => KubernetesObject
  part: Part
  dryRun: boolean
  /** Made instead where the object is absent and the kind allows it. */
  orCreate?: () => KubernetesObject
}

const attemptsMax = 10

/**
 * Replaces an object. A resourceVersion in the new version must be the present one (409 otherwise); without one the
 * change is applied to whatever is there. A version that says nothing new is not written.
 */
export async function update(
  registry: Registry,
  request: UpdateRequest,
): Promise<{ served: Served; created: boolean }> {
  const { target, dryRun } = request
  for (let attempt = 1; ; attempt++) {
    const entry = await registry.findEntry(target)
    if (!entry) return { served: await createInstead(registry, request), created: true }
    const result = await tryUpdate(registry, request, entry)
    if (result instanceof Served) return { served: result, created: false }
    if ('claim' in result && attempt >= 3) throw refuseClaim(target.kind, target.name, result.claim)
    if (attempt >= attemptsMax || dryRun) throw modified(target)
  }
}

async function tryUpdate(registry: Registry, request: UpdateRequest, entry: Entry) {
  const { target, part, dryRun } = request
  const { kind } = target
  const current = kind.cache.live(entry)
  const object = storedForm(kind, request.produce(current))
  const before = storedForm(kind, current.object)
  const pinned = object.metadata.resourceVersion
  checkIdentity(target, object, before)
  if (pinned !== undefined && pinned !== '' && pinned !== String(entry.modRevision)) throw modified(target)
  prepareForUpdate(kind, object, before, part)
  await allocate(registry, kind, object, before)
  validate(kind, object, before, part)
  if (isGone(kind, object)) return commit(registry, { target, object: undefined, before: entry, dryRun })
  if (isUnchanged(target, object, entry)) return current
  return commit(registry, { target, object, before: entry, dryRun })
}

function isUnchanged({ kind }: Target, object: KubernetesObject, entry: Entry): boolean {
  return encode(kind.stored, object).equals(entry.value)
}

async function createInstead(
  registry: Registry,
  { target, orCreate, dryRun }: UpdateRequest,
): Promise<Served> {
  if (!orCreate || !target.kind.strategy.createsOnUpdate) throw notFound(named(target))
  const object = orCreate()
  if (object.metadata.resourceVersion) throw notFound(named(target))
  return create(registry, { kind: target.kind, namespace: target.namespace, object, dryRun })
}

function checkIdentity(target: Target, { metadata }: KubernetesObject, current: KubernetesObject): void {
  const { name, namespace, uid } = metadata
  if (name !== target.name) {
    throw badBody(
      `the name of the object (${name ?? ''}) does not match the name on the URL (${target.name})`,
    )
  }
  if (namespace && target.kind.type.namespaced && namespace !== target.namespace) {
    throw badBody('the namespace of the provided object does not match the namespace sent on the request')
  }
  if (uid && uid !== current.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`
    throw conflict(named(target), why)
  }
}

function modified(target: Target): StatusError {
  const why = 'the object has been modified; please apply your changes to the latest version and try again'
  return conflict(named(target), why)
}
