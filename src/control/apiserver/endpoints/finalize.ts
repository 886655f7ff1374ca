import type { Namespace } from '../../../api/index.ts'
import { readObject } from '../registry/decode.ts'
import { update } from '../registry/update.ts'
import { writeOptionsOf } from '../registry/write-options.ts'
import { bytesReply, type Endpoint } from './endpoint.ts'
import { presenterOf } from './object.ts'

/** Sets `spec.finalizers` of a namespace; the last one to go ends a namespace that is being deleted. */
export const finalizeNamespace: Endpoint = async (call) => {
  const { registry, request, kind, warn } = call
  const options = writeOptionsOf(request.query, warn)
  const asked = await readObject<Namespace>(request, kind.type, options)
  const { served } = await update(registry, {
    target: call,
    part: 'finalize',
    dryRun: options.dryRun,
    produce: (current) => {
      const namespace = current.copy() as Namespace
      const { resourceVersion, uid } = asked.metadata
      namespace.metadata = { ...namespace.metadata, resourceVersion, uid: uid ?? namespace.metadata.uid }
      namespace.spec = { ...namespace.spec, finalizers: asked.spec?.finalizers ?? [] }
      return namespace
    },
  })
  const presenter = presenterOf(call)
  return bytesReply(200, presenter.contentType, presenter.one(served))
}
