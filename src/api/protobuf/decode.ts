import { definitions, type Schema } from '../schema/definitions.ts'
import { definitionName, type Field, messageName, messageOf } from './messages.ts'
import { broken, readFields } from './wire.ts'

type Members = Record<string, unknown>

const magic = Buffer.from('k8s\0')
const unknownMessage = 'k8s.io.apimachinery.pkg.runtime.Unknown'
const levelsMax = 100

/**
 * Optional scalars whose zero means something else than their absence. Kubernetes' writers always send the others,
 * zero or not; for them zero is absence.
 */
const optionalScalars = new Set(
  `activeDeadlineSeconds allocateLoadBalancerNodePorts allowPrivilegeEscalation automountServiceAccountToken
  blockOwnerDeletion controller defaultMode deletionGracePeriodSeconds enableServiceLinks expirationSeconds fsGroup
  gracePeriodSeconds hostUsers immutable leaseDurationSeconds leaseTransitions maxSurge maxUnavailable mode optional orphanDependents priority
  privileged progressDeadlineSeconds ready readOnlyRootFilesystem replicas revisionHistoryLimit runAsGroup runAsNonRoot
  runAsUser serving setHostnameAsFQDN shareProcessNamespace started terminating terminationGracePeriodSeconds
  tolerationSeconds`.split(/\s+/),
)

/** True for a body in the envelope of application/vnd.kubernetes.protobuf. */
function isProtobuf(body: Uint8Array): boolean {
  return magic.equals(body.subarray(0, magic.length))
}

/**
 * The object in a body of type application/vnd.kubernetes.protobuf, as it would stand in JSON, with the apiVersion and
 * kind of the envelope. `definition` names what it must be. INVALID_ARGUMENT for bytes that are no such message.
 */
export function decodeProtobuf(body: Uint8Array, definition: string): Members {
  if (!isProtobuf(body)) throw broken('it does not begin with the magic number k8s\\0')
  const envelope = decodeMessage(body.subarray(magic.length), unknownMessage, 0)
  const { kind, apiVersion } = (envelope['typeMeta'] ?? {}) as Members
  const raw = Buffer.from(String(envelope['raw'] ?? ''), 'base64')
  return { kind, apiVersion, ...decodeMessage(raw, messageName(definition), 0) }
}

function decodeMessage(bytes: Uint8Array, name: string, level: number): Members {
  const message = messageOf(name)
  if (!message) throw broken(`no message is called ${name}`)
  if (level > levelsMax) throw broken('it is nested too deep')
  const schema = definitions().get(definitionName(name))
  const out: Members = {}
  for (const { number, value } of readFields(bytes)) {
    const field = message.get(number)
    if (field) take(out, field, value, schema, level)
  }
  return out
}

function take(
  out: Members,
  field: Field,
  value: bigint | Uint8Array,
  schema: Schema | undefined,
  level: number,
): void {
  const { name, mapOf, repeated } = field
  if (mapOf !== undefined) {
    const [key, member] = mapEntry(value, mapOf, level)
    out[name] ??= {}
    Object.defineProperty(out[name], key, {
      value: member,
      enumerable: true,
      configurable: true,
      writable: true,
    })
    return
  }
  if (repeated) {
    const list = Array.isArray(out[name]) ? out[name] : []
    out[name] = [...list, decodeValue(value, field.type, level)]
    return
  }
  const decoded = decodeValue(value, field.type, level)
  if (isInlined(schema, name) && typeof decoded === 'object') Object.assign(out, decoded)
  else if (!isAbsence(decoded, name, schema)) out[name] = decoded
}

/** Go embeds some structs: their fields stand in JSON beside those of the outer one. */
function isInlined(schema: Schema | undefined, name: string): boolean {
  return schema?.properties !== undefined && !Object.hasOwn(schema.properties, name)
}

function isAbsence(value: unknown, name: string, schema: Schema | undefined): boolean {
  if (value === undefined || value === '') return true
  if (value !== 0 && value !== false) return false
  return !optionalScalars.has(name) && !schema?.required?.includes(name)
}

function mapEntry(value: bigint | Uint8Array, type: string, level: number): [string, unknown] {
  let key = ''
  let member: unknown = type === 'string' || type === 'bytes' ? '' : undefined
  for (const part of readFields(bytesOf(value))) {
    if (part.number === 1) key = Buffer.from(bytesOf(part.value)).toString()
    if (part.number === 2) member = decodeValue(part.value, type, level)
  }
  return [key, member]
}

function decodeValue(value: bigint | Uint8Array, type: string, level: number): unknown {
  switch (type) {
    case 'string':
      return Buffer.from(bytesOf(value)).toString()
    case 'bytes':
      return Buffer.from(bytesOf(value)).toString('base64')
    case 'bool':
      return value !== 0n
    case 'int32':
    case 'int64':
    case 'uint32':
    case 'uint64':
      return Number(BigInt.asIntN(64, integerOf(value)))
    case 'double':
      return Buffer.from(bytesOf(value)).readDoubleLE()
    default:
      return decodeWellKnown(bytesOf(value), type, level)
  }
}

/** Messages that JSON writes in a form of their own. */
function decodeWellKnown(bytes: Uint8Array, type: string, level: number): unknown {
  const members = decodeMessage(bytes, type, level + 1)
  switch (type) {
    case 'k8s.io.apimachinery.pkg.apis.meta.v1.Time':
      return momentOf(members, 0)
    case 'k8s.io.apimachinery.pkg.apis.meta.v1.MicroTime':
      return momentOf(members, 6)
    case 'k8s.io.apimachinery.pkg.api.resource.Quantity':
      return members['string'] ?? '0'
    case 'k8s.io.apimachinery.pkg.util.intstr.IntOrString':
      return members['type'] ? (members['strVal'] ?? '') : (members['intVal'] ?? 0)
    case 'k8s.io.apimachinery.pkg.apis.meta.v1.FieldsV1':
      return embeddedJson(members['Raw'])
    case 'k8s.io.apimachinery.pkg.runtime.RawExtension':
      return embeddedJson(members['raw'])
    default:
      return members
  }
}

/** RFC 3339; undefined for the zero time, which stands for none. */
function momentOf({ seconds = 0, nanos = 0 }: Members, digits: number): string | undefined {
  if (seconds === 0 && nanos === 0) return undefined
  const whole = new Date(Number(seconds) * 1000)
  if (Number.isNaN(whole.getTime())) throw broken('a time is out of range')
  const fraction = digits === 0 ? '' : `.${String(nanos).padStart(9, '0').slice(0, digits)}`
  return `${whole.toISOString().slice(0, 19)}${fraction}Z`
}

function embeddedJson(base64: unknown): unknown {
  if (typeof base64 !== 'string' || base64 === '') return undefined
  try {
    return JSON.parse(Buffer.from(base64, 'base64').toString())
  } catch {
    throw broken('an embedded object is not JSON')
  }
}

function bytesOf(value: bigint | Uint8Array): Uint8Array {
  if (typeof value === 'bigint') throw broken('a number where bytes belong')
  return value
}

function integerOf(value: bigint | Uint8Array): bigint {
  if (typeof value !== 'bigint') throw broken('bytes where a number belongs')
  return value
}
