import { parse as parseYaml } from 'yaml'
import { apiVersionOf, decodeProtobuf, type KubernetesObject, type ResourceType } from '../../../api/index.ts'
import { hasCode } from '../../../base/index.ts'
import { parseMediaTypes } from '../http/media-type.ts'
import type { ApiRequest } from '../http/message.ts'
import { StatusError } from '../status.ts'
import { conform } from './conform.ts'
import { duplicateKeys } from './duplicate-keys.ts'
import type { FieldValidation, WriteOptions } from './write-options.ts'

/** Of a row, what its bodies are read by. */
export type BodyType = Pick<ResourceType, 'kind' | 'group' | 'version' | 'definition'>

export interface Decoded {
  value: unknown
  /** Strict-mode complaints about the text itself: keys given twice. */
  duplicates: readonly string[]
}

/** Reads a JSON or YAML body. 400 when it cannot be read, 415 for another format. */
export function parseBody(
  body: Uint8Array,
  contentType: string | undefined,
  validation: FieldValidation,
  definition: string,
): Decoded {
  const [media] = parseMediaTypes(contentType ?? 'application/json')
  const text = Buffer.from(body).toString()
  switch (media?.type) {
    case 'application/yaml':
      return { value: notTooDeep(readYaml(text)), duplicates: [] }
    case 'application/json':
    case '': {
      const value = notTooDeep(readJson(text))
      return { value, duplicates: validation === 'Ignore' ? [] : duplicateKeys(text) }
    }
    case 'application/vnd.kubernetes.protobuf':
      return { value: readProtobuf(body, definition), duplicates: [] }
    default:
      throw unsupported(
        `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf`,
      )
  }
}

/** The object of a request's body, in any format that we read. */
export async function readObject<T extends KubernetesObject>(
  request: ApiRequest,
  type: BodyType,
  { fieldValidation, warn }: Pick<WriteOptions, 'fieldValidation' | 'warn'>,
): Promise<T> {
  const bytes = await request.body()
  const body = parseBody(bytes, request.headers['content-type'], fieldValidation, type.definition)
  return decodeObject(type, body, fieldValidation, warn) as T
}

/**
 * The object of a request body: of the right kind, with nothing in it that its schema does not have. Complaints go
 * to `warn`, or make a 400 when validation is strict.
 */
export function decodeObject(
  type: BodyType,
  { value, duplicates }: Decoded,
  validation: FieldValidation,
  warn: (message: string) => void,
): KubernetesObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badBody('the object provided is unrecognized (must be of type object)')
  }
  checkKind(type, value as Record<string, unknown>)
  const { object, unknownFields } = conform(type, value as Record<string, unknown>)
  const complaints = [
    ...unknownFields.map((path) => `unknown field ${JSON.stringify(path)}`),
    ...duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`),
  ]
  if (complaints.length > 0 && validation === 'Strict') {
    throw badBody(
      `${type.kind} in version ${JSON.stringify(type.version)} cannot be handled as a ${type.kind}: strict decoding error: ${complaints.join(', ')}`,
    )
  }
  if (validation === 'Warn') complaints.forEach(warn)
  return object
}

function checkKind(
  type: Pick<ResourceType, 'kind' | 'group' | 'version'>,
  value: Record<string, unknown>,
): void {
  const { kind = type.kind, apiVersion = apiVersionOf(type) } = value
  if (apiVersion !== apiVersionOf(type)) {
    throw badBody(
      `the API version in the data (${String(apiVersion)}) does not match the expected API version (${apiVersionOf(type)})`,
    )
  }
  if (kind !== type.kind) {
    throw badBody(`the kind in the data (${String(kind)}) does not match the expected kind (${type.kind})`)
  }
}

function readProtobuf(body: Uint8Array, definition: string): unknown {
  try {
    return decodeProtobuf(body, definition)
  } catch (error) {
    if (hasCode(error, 'INVALID_ARGUMENT') && error instanceof Error) throw badBody(error.message)
    throw error
  }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw badBody(`the body is not valid JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function readYaml(text: string): unknown {
  try {
    return parseYaml(text, { version: '1.1', schema: 'yaml-1.1', maxAliasCount: 100 })
  } catch (error) {
    throw badBody(`the body is not valid YAML: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** No object of the API comes near it; whoever walks the value by recursion must not be where it ends. */
const levelsMax = 512

function notTooDeep(value: unknown): unknown {
  let level = new Set<unknown>([value]) // a set: YAML's aliases may give one value in many places
  for (let depth = 0; level.size > 0; depth++) {
    if (depth > levelsMax) throw badBody(`the body is nested more than ${levelsMax} levels deep`)
    level = new Set([...level].flatMap((one) => (one instanceof Object ? Object.values(one) : [])))
  }
  return value
}

export function badBody(message: string): StatusError {
  return new StatusError('BadRequest', message)
}

function unsupported(message: string): StatusError {
  return new StatusError('UnsupportedMediaType', message)
}
