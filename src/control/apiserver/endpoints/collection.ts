import { hasCode } from '../../../base/index.ts'
import { create } from '../registry/create.ts'
import { readObject } from '../registry/decode.ts'
import { remove } from '../registry/delete.ts'
import { list, listByName } from '../registry/list.ts'
import { targetOf } from '../registry/registry.ts'
import { selectionOf } from '../registry/selection.ts'
import { watch } from '../registry/watch.ts'
import { writeOptionsOf } from '../registry/write-options.ts'
import { readDeleteOptions } from './delete-options.ts'
import { bytesReply, type Endpoint } from './endpoint.ts'
import { presenterOf } from './object.ts'

export const listObjects: Endpoint = async (call) => {
  const { registry, request, kind, namespace } = call
  const presenter = presenterOf(call)
  const selection = selectionOf(kind, namespace, request.query)
  const page =
    (await listByName(registry, selection, request.query)) ?? (await list(registry, selection, request.query))
  return bytesReply(200, presenter.contentType, presenter.page(page))
}

export const watchObjects: Endpoint = async (call) => {
  const { registry, request, kind, namespace } = call
  const presenter = presenterOf(call)
  const selection = selectionOf(kind, namespace, request.query)
  const body = await watch(registry, selection, request.query, presenter)
  const headers = { 'content-type': presenter.streamType, 'cache-control': 'no-cache, private' }
  return { status: 200, headers, body }
}

export const createObject: Endpoint = async (call) => {
  const { registry, request, kind, namespace, warn } = call
  const presenter = presenterOf(call)
  const options = writeOptionsOf(request.query, warn)
  const object = await readObject(request, kind.type, options)
  const served = await create(registry, { kind, namespace, object, dryRun: options.dryRun })
  return bytesReply(201, presenter.contentType, presenter.one(served))
}

/** Deletes what the selectors choose, one after the other, and answers with the list of what was found. */
export const deleteCollection: Endpoint = async (call) => {
  const { registry, request, kind, namespace } = call
  const presenter = presenterOf(call)
  const options = await readDeleteOptions(request)
  const selection = selectionOf(kind, namespace, request.query)
  const page = await list(registry, selection, request.query)
  for (const { object } of page.items) {
    try {
      await remove(registry, targetOf(kind, object), options)
    } catch (error) {
      if (!hasCode(error, 'NOT_FOUND')) throw error // somebody else was faster: as wanted
    }
  }
  return bytesReply(200, presenter.contentType, presenter.page(page))
}
