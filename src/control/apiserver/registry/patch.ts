import { applyPatch, type Operation } from 'rfc6902'
import { applyMergePatch, applyStrategicMergePatch } from '../../../api/index.ts'
import { parseMediaTypes } from '../http/media-type.ts'
import { StatusError } from '../status.ts'
import { badBody, parseBody } from './decode.ts'

/** Applies one patch to a copy that it may change; gives the patched document. */
export type Patch = (document: unknown) => unknown

const operationsMax = 10_000
const unsafe = /(^|\/)(__proto__|constructor|prototype)(\/|$)/

/**
 * The patch of a request body, by its Content-Type. `definition` names the schema whose merge keys a strategic
 * merge goes by. 415 for kinds of patches that we do not know, 400 for a body that is none.
 */
export function readPatch(body: Uint8Array, contentType: string | undefined, definition: string): Patch {
  const [media] = parseMediaTypes(contentType ?? '')
  switch (media?.type) {
    case 'application/json-patch+json':
      return jsonPatch(parse(body))
    case 'application/merge-patch+json': {
      const patch = parse(body)
      return (document) => applyMergePatch(document, patch)
    }
    case 'application/strategic-merge-patch+json': {
      const patch = parse(body)
      return (document) => applyStrategicMergePatch(document, patch, definition)
    }
    case 'application/apply-patch+yaml':
      throw unsupported('server-side apply is not supported by this server yet: use client-side apply')
    default:
      throw unsupported(
        'the body of the request was in an unknown format - accepted media types include: ' +
          'application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json',
      )
  }
}

function parse(body: Uint8Array): unknown {
  return parseBody(body, 'application/json', 'Ignore', '').value
}

/** RFC 6902. Paths through a prototype are refused: no API object has such members. */
function jsonPatch(patch: unknown): Patch {
  if (!Array.isArray(patch)) throw badBody('a JSON patch must be a list of operations')
  if (patch.length > operationsMax) {
    throw new StatusError(
      'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is ${operationsMax}, got ${patch.length}`,
    )
  }
  for (const operation of patch as Partial<Record<string, unknown>>[]) {
    for (const pointer of [operation?.['path'], operation?.['from']]) {
      if (typeof pointer === 'string' && unsafe.test(pointer))
        throw badBody(`JSON patch path ${JSON.stringify(pointer)} is not allowed`)
    }
  }
  return (document) => {
    const root = { document }
    const inside = (patch as (Operation & { from?: string })[]).map((one) => ({
      ...one,
      path: `/document${one.path}`,
      ...(one.from === undefined ? {} : { from: `/document${one.from}` }),
    }))
    const failure = applyPatch(root, inside).find((error) => error !== null)
    if (failure)
      throw new StatusError(
        'Invalid',
        `the server rejected our request due to an error in our request: ${failure.message}`,
        {},
      )
    return root.document
  }
}

function unsupported(message: string): StatusError {
  return new StatusError('UnsupportedMediaType', message)
}
