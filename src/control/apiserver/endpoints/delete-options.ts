import type { DeleteOptions } from '../../../api/index.ts'
import type { ApiRequest } from '../http/message.ts'
import { badBody, parseBody } from '../registry/decode.ts'
import type { Deletion } from '../registry/delete.ts'
import { integer } from '../registry/list.ts'
import { writeOptionsOf } from '../registry/write-options.ts'

const definition = 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions'

/** DeleteOptions from the body where there is one, else from the query. */
export async function readDeleteOptions(request: ApiRequest): Promise<Deletion> {
  const { query } = request
  const { dryRun } = writeOptionsOf(query, () => undefined)
  const body = await request.body()
  if (body.length > 0) return fromBody(body, request.headers['content-type'], dryRun)
  const gracePeriodSeconds = integer(query, 'gracePeriodSeconds')
  const propagationPolicy = query.get('propagationPolicy') ?? undefined
  const orphanDependents = query.has('orphanDependents')
    ? query.get('orphanDependents') === 'true'
    : undefined
  return { gracePeriodSeconds, propagationPolicy, orphanDependents, dryRun }
}

function fromBody(body: Uint8Array, contentType: string | undefined, dryRun: boolean): Deletion {
  const { value } = parseBody(body, contentType, 'Ignore', definition)
  if (typeof value !== 'object' || value === null) throw badBody('DeleteOptions must be an object')
  const options = value as Partial<DeleteOptions>
  const { gracePeriodSeconds, propagationPolicy, orphanDependents, preconditions } = options
  const grace = gracePeriodSeconds ?? undefined
  if (grace !== undefined && !Number.isInteger(grace)) throw badBody('gracePeriodSeconds must be an integer')
  return {
    gracePeriodSeconds: grace,
    propagationPolicy: propagationPolicy ?? undefined,
    orphanDependents: orphanDependents ?? undefined,
    preconditions: preconditions ?? undefined,
    dryRun: dryRun || (options.dryRun?.includes('All') ?? false),
  }
}
