import { jsonReply } from '../http/message.ts'
import { presenterFor } from '../present/presenter.ts'
import { readObject } from '../registry/decode.ts'
import { remove } from '../registry/delete.ts'
import type { Part } from '../registry/prepare.ts'
import { update } from '../registry/update.ts'
import { writeOptionsOf } from '../registry/write-options.ts'
import { readDeleteOptions } from './delete-options.ts'
import { bytesReply, type Call, type Endpoint } from './endpoint.ts'

export const getObject: Endpoint = async (call) => {
  const presenter = presenterOf(call)
  return bytesReply(200, presenter.contentType, presenter.one(await call.registry.get(call)))
}

/** PUT of the whole object, or of its status part. */
export function replaceObject(part: Part): Endpoint {
  return async (call) => {
    const { registry, request, kind, warn } = call
    const presenter = presenterOf(call)
    const options = writeOptionsOf(request.query, warn)
    const decoded = await readObject(request, kind.type, options)
    const produce = () => structuredClone(decoded)
    const result = await update(registry, {
      target: call,
      produce,
      part,
      dryRun: options.dryRun,
      orCreate: produce,
    })
    return bytesReply(result.created ? 201 : 200, presenter.contentType, presenter.one(result.served))
  }
}

/** The object where something still keeps it (and for kinds whose last state readers want), else a Success. */
export const deleteObject: Endpoint = async (call) => {
  const { registry, request, kind } = call
  const presenter = presenterOf(call)
  const { served, removed } = await remove(registry, call, await readDeleteOptions(request))
  if (!removed || kind.strategy.returnsDeleted)
    return bytesReply(200, presenter.contentType, presenter.one(served))
  const { group, plural } = kind.type
  const { uid } = served.object.metadata
  const details = { name: call.name, ...(group === '' ? {} : { group }), kind: plural, uid }
  return jsonReply(200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details })
}

export function presenterOf({ kind, request, registry }: Call) {
  return presenterFor(kind, request.headers.accept, request.query, () => registry.clock.nowMs())
}
