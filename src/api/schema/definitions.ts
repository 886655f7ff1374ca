import { brotliDecompressSync } from 'node:zlib'
import { schemaData } from './data.generated.ts'

/** The part of a JSON schema that the API's definitions use, with the keys that steer patches and merges. */
export interface Schema {
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'
  format?: string
  /** Name of another definition, without a path prefix. */
  $ref?: string
  required?: readonly string[]
  enum?: readonly string[]
  properties?: Readonly<Record<string, Schema>>
  items?: Schema
  additionalProperties?: Schema
  'x-kubernetes-list-type'?: 'atomic' | 'map' | 'set'
  'x-kubernetes-list-map-keys'?: readonly string[]
  'x-kubernetes-map-type'?: 'atomic' | 'granular'
  'x-kubernetes-patch-strategy'?: string
  'x-kubernetes-patch-merge-key'?: string
  'x-kubernetes-group-version-kind'?: readonly GroupVersionKind[]
}

export interface GroupVersionKind {
  group: string
  version: string
  kind: string
}

let loaded: ReadonlyMap<string, Schema> | undefined

/** All definitions of Kubernetes v1.36 by name (`io.k8s.api.core.v1.Pod`); unpacked at the first call (about 5 ms). */
export function definitions(): ReadonlyMap<string, Schema> {
  if (!loaded) {
    const json = brotliDecompressSync(Buffer.from(schemaData, 'base64')).toString()
    loaded = new Map(Object.entries(JSON.parse(json) as Record<string, Schema>))
  }
  return loaded
}

/** The schema itself, its reference followed; undefined when it names no known definition. */
export function resolveSchema(schema: Schema): Schema | undefined {
  return schema.$ref === undefined ? schema : definitions().get(schema.$ref)
}
