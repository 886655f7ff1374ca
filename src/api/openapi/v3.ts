import type { ResourceType } from '../resource-type.ts'
import { definitions, type Schema } from '../schema/definitions.ts'
import { type Operation, operationsOf } from './operations.ts'
import { mapValues } from './v2.ts'

type Members = Record<string, unknown>

/** An OpenAPI v3 document of one group and version as JSON. */
export interface OpenApiV3 {
  openapi: '3.0.0'
  info: { title: string; version: string }
  paths: Record<string, Members>
  components: { schemas: Record<string, Members> }
}

const answers = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']

/** One document per group and version, under the key that the index uses: `api/v1`, `apis/apps/v1`. */
export function openApiV3(rows: readonly ResourceType[], version: string): Map<string, OpenApiV3> {
  const groups = new Map<string, ResourceType[]>()
  for (const row of rows) {
    const key = row.group === '' ? `api/${row.version}` : `apis/${row.group}/${row.version}`
    groups.set(key, [...(groups.get(key) ?? []), row])
  }
  return new Map([...groups].map(([key, members]) => [key, groupDocument(members, version)]))
}

function groupDocument(rows: readonly ResourceType[], version: string): OpenApiV3 {
  const operations = rows.flatMap(operationsOf)
  const paths: Record<string, Members> = {}
  for (const operation of operations) {
    paths[operation.path] ??= {}
    Object.assign(paths[operation.path] ?? {}, { [operation.method]: operationV3(operation) })
  }
  const named = operations.flatMap(({ body, answer }) => [body, answer]).filter((name) => name !== undefined)
  const schemas = [...reachable(named)].sort().map((name) => [name, schemaV3(definitions().get(name) ?? {})])
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version },
    paths,
    components: { schemas: Object.fromEntries(schemas) },
  }
}

function operationV3(operation: Operation): Members {
  const { id, action, kind, parameters, body, consumes, answer } = operation
  const content = (types: readonly string[], schema: Members) =>
    Object.fromEntries(types.map((type) => [type, { schema }]))
  return {
    operationId: id,
    parameters: parameters.map(({ name, in: place, type }) => ({
      name,
      in: place,
      ...(place === 'path' ? { required: true } : {}),
      schema: { type },
    })),
    ...(body === undefined ? {} : { requestBody: { content: content(consumes, reference(body)) } }),
    responses: {
      [action === 'post' ? '201' : '200']: {
        description: action === 'post' ? 'Created' : 'OK',
        content:
          answer === undefined ? content(['*/*'], { type: 'string' }) : content(answers, reference(answer)),
      },
    },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': kind,
  }
}

/** These definitions and all that they refer to. */
function reachable(names: readonly string[]): Set<string> {
  const found = new Set<string>()
  const visit = (name: string): void => {
    if (found.has(name)) return
    found.add(name)
    for (const one of referencesOf(definitions().get(name) ?? {})) visit(one)
  }
  for (const name of names) visit(name)
  return found
}

function referencesOf(schema: Schema): string[] {
  const parts = [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties]
  return [
    ...(schema.$ref === undefined ? [] : [schema.$ref]),
    ...parts.flatMap((part) => (part ? referencesOf(part) : [])),
  ]
}

function reference(name: string): Members {
  return { $ref: `#/components/schemas/${name}` }
}

/** In version 3 nothing may stand beside a `$ref`, so one with companions goes into `allOf`. */
function schemaV3(schema: Schema): Members {
  const { $ref, properties, items, additionalProperties, type, format, ...rest } = schema
  if ($ref !== undefined)
    return Object.keys(rest).length === 0 ? reference($ref) : { allOf: [reference($ref)], ...rest }
  const scalar =
    format === 'int-or-string' ? { format, oneOf: [{ type: 'integer' }, { type: 'string' }] } : undefined
  return {
    ...(scalar ?? { ...(type === undefined ? {} : { type }), ...(format === undefined ? {} : { format }) }),
    ...rest,
    ...(properties === undefined ? {} : { properties: mapValues(properties, schemaV3) }),
    ...(items === undefined ? {} : { items: schemaV3(items) }),
    ...(additionalProperties === undefined ? {} : { additionalProperties: schemaV3(additionalProperties) }),
  }
}
