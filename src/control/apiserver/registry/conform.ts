import { definitions, type KubernetesObject, type ResourceType, type Schema } from '../../../api/index.ts'
import { StatusError } from '../status.ts'

export interface Conforming {
  object: KubernetesObject
  /** Paths that the schema does not have: `spec.template.spec.contaners`. They are left out of the object. */
  unknownFields: readonly string[]
}

/**
 * The value as its kind's schema has it: unknown fields left out and named, nulls left out, required objects and
 * lists there (empty where the writer left them out, for validation to judge). 400 where a value is of another JSON
 * type than its field. Integer-or-string fields take both.
 */
export function conform(
  type: Pick<ResourceType, 'kind' | 'version' | 'definition'>,
  value: Record<string, unknown>,
): Conforming {
  const walk = new Walk(type)
  const object = walk.object({ $ref: type.definition }, value, '') as unknown as KubernetesObject
  if (typeof object.metadata !== 'object') object.metadata = {}
  return { object, unknownFields: walk.unknown }
}

class Walk {
  readonly unknown: string[] = []
  readonly #type: Pick<ResourceType, 'kind' | 'version'>

  constructor(type: Pick<ResourceType, 'kind' | 'version'>) {
    this.#type = type
  }

  object(schema: Schema, value: Record<string, unknown>, path: string): Record<string, unknown> {
    const resolved = follow(schema)
    const { properties, additionalProperties, required = [] } = resolved
    const out: Record<string, unknown> = {}
    for (const [key, member] of Object.entries(value)) {
      const where = path === '' ? key : `${path}.${key}`
      const memberSchema =
        properties && Object.hasOwn(properties, key) ? properties[key] : additionalProperties
      if (memberSchema) {
        if (member !== null || additionalProperties)
          define(out, key, this.#value(memberSchema, member, where))
      } else if (properties) this.unknown.push(where)
      else define(out, key, member)
    }
    for (const key of required) this.#fill(out, key, properties?.[key])
    if (specRequired.has(schema.$ref ?? '')) this.#fill(out, 'spec', properties?.['spec'])
    return out
  }

  #fill(out: Record<string, unknown>, key: string, schema: Schema | undefined): void {
    if (schema === undefined || Object.hasOwn(out, key)) return
    const { type } = follow(schema)
    if (type === 'object') out[key] = this.object(schema, {}, key)
    if (type === 'array') out[key] = []
  }

  #value(schema: Schema, value: unknown, path: string): unknown {
    const resolved = follow(schema)
    const { type } = resolved
    if (value === null && type !== 'array' && type !== 'object') return type === 'string' ? '' : value
    if (resolved.format === 'int-or-string')
      return this.#check(isIntOrString(value), value, path, 'int or string')
    switch (type) {
      case 'object':
        return this.#object(schema, value, path)
      case 'array':
        if (value === null) return []
        this.#check(Array.isArray(value), value, path, 'array')
        return (value as unknown[]).map((item, i) =>
          item === null ? null : this.#value(resolved.items ?? {}, item, `${path}[${i}]`),
        )
      case 'integer':
        return this.#check(Number.isInteger(value), value, path, 'integer')
      case 'string':
        return this.#string(value, path, resolved)
      case 'number':
      case 'boolean':
        return this.#check(typeof value === type, value, path, type)
      default:
        return value
    }
  }

  #object(schema: Schema, value: unknown, path: string): unknown {
    if (value === null) return {}
    this.#check(typeof value === 'object' && !Array.isArray(value), value, path, 'object')
    return this.object(schema, value as Record<string, unknown>, path)
  }

  /** Quantities are strings in the schema, but clients write `cpu: 1`. */
  #string(value: unknown, path: string, schema: Schema): string {
    if (schema.format === 'quantity' && typeof value === 'number') return String(value)
    return this.#check(typeof value === 'string', value, path, 'string') as string
  }

  #check(fits: boolean, value: unknown, path: string, wanted: string): unknown {
    if (fits) return value
    const { kind, version } = this.#type
    const got = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
    throw new StatusError(
      'BadRequest',
      `${kind} in version "${version}" cannot be handled as a ${kind}: json: cannot unmarshal ${got} into field ${path} of type ${wanted}`,
    )
  }
}

/** Kinds whose validation asks for a spec: their readers may count on one. */
const specRequired = new Set([
  'io.k8s.api.core.v1.Pod',
  'io.k8s.api.core.v1.PodTemplateSpec',
  'io.k8s.api.core.v1.Service',
  'io.k8s.api.core.v1.Node',
  'io.k8s.api.core.v1.Namespace',
  'io.k8s.api.apps.v1.Deployment',
  'io.k8s.api.apps.v1.ReplicaSet',
])

const quantityDefinition = 'io.k8s.apimachinery.pkg.api.resource.Quantity'

function follow(schema: Schema): Schema {
  let current = schema
  while (current.$ref !== undefined) {
    if (current.$ref === quantityDefinition) return { type: 'string', format: 'quantity' }
    const next = definitions().get(current.$ref)
    if (!next) return {}
    current = next
  }
  return current
}

function isIntOrString(value: unknown): boolean {
  return typeof value === 'string' || Number.isInteger(value)
}

/** Own property whatever its name: plain assignment to `__proto__` would change the prototype instead. */
function define(object: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
}
