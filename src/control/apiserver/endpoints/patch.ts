import type { KubernetesObject, Scale } from '../../../api/index.ts'
import { hasCode } from '../../../base/index.ts'
import { badBody, decodeObject } from '../registry/decode.ts'
import { type Patch, readPatch } from '../registry/patch.ts'
import type { Part } from '../registry/prepare.ts'
import { update } from '../registry/update.ts'
import { writeOptionsOf } from '../registry/write-options.ts'
import { StatusError } from '../status.ts'
import { bytesReply, type Call, type Endpoint } from './endpoint.ts'
import { presenterOf } from './object.ts'
import { scaleType, writeScale } from './scale.ts'

/** PATCH of the whole object, or of its status part. */
export function patchObject(part: Part): Endpoint {
  return async (call) => {
    const { registry, request, kind, warn } = call
    const presenter = presenterOf(call)
    const { dryRun, fieldValidation } = writeOptionsOf(request.query, warn)
    const patch = await patchOf(call, kind.type.definition)
    const produce = (document: unknown): KubernetesObject =>
      decodeObject(kind.type, { value: document, duplicates: [] }, fieldValidation, warn)
    const { served } = await update(registry, {
      target: call,
      part,
      dryRun,
      produce: (current) => {
        const object = produce(apply(patch, current.copy()))
        // Only a version that the patch itself names pins the write; the one read along must not.
        if (object.metadata.resourceVersion === String(current.revision))
          delete object.metadata.resourceVersion
        return object
      },
    })
    return bytesReply(200, presenter.contentType, presenter.one(served))
  }
}

export const patchScale: Endpoint = async (call) => {
  const patch = await patchOf(call, scaleType.definition)
  return writeScale(call, (present) => {
    const value = apply(patch, structuredClone(present))
    const scale = decodeObject(scaleType, { value, duplicates: [] }, 'Ignore', call.warn) as Scale
    if (scale.metadata.resourceVersion === present.metadata.resourceVersion)
      delete scale.metadata.resourceVersion
    return scale
  })
}

async function patchOf({ request }: Call, definition: string): Promise<Patch> {
  return readPatch(await request.body(), request.headers['content-type'], definition)
}

function apply(patch: Patch, document: unknown): unknown {
  try {
    return patch(document)
  } catch (error) {
    if (hasCode(error, 'INVALID_ARGUMENT') && !(error instanceof StatusError) && error instanceof Error)
      throw badBody(error.message)
    throw error
  }
}
