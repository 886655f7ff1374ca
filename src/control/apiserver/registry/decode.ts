import { parse as parseYaml } from 'yaml'
import { apiVersionOf, type KubernetesObject, type ResourceType } from '../../../api/index.ts'
import { parseMediaTypes } from '../http/media-type.ts'
import { StatusError } from '../status.ts'
import { conform } from './conform.ts'
import { duplicateKeys } from './duplicate-keys.ts'

/** What to do about fields that the schema does not know and keys that occur twice. */
export type FieldValidation = 'Ignore' | 'Warn' | 'Strict'

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
): Decoded {
  const [media] = parseMediaTypes(contentType ?? 'application/json')
  const text = Buffer.from(body).toString()
  switch (media?.type) {
    case 'application/yaml':
      return { value: readYaml(text), duplicates: [] }
    case 'application/json':
    case '': {
      const value = readJson(text)
      return { value, duplicates: validation === 'Ignore' ? [] : duplicateKeys(text) }
    }
    case 'application/vnd.kubernetes.protobuf':
      throw unsupported('protobuf bodies are not understood by this server yet: send application/json')
    default:
      throw unsupported(
        `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml`,
      )
  }
}

/**
 * The object of a request body: of the right kind, with nothing in it that its schema does not have. Complaints go
 * to `warn`, or make a 400 when validation is strict.
 */
export function decodeObject(
  type: Pick<ResourceType, 'kind' | 'group' | 'version' | 'definition'>,
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

export function badBody(message: string): StatusError {
  return new StatusError('BadRequest', message)
}

function unsupported(message: string): StatusError {
  return new StatusError('UnsupportedMediaType', message)
}
