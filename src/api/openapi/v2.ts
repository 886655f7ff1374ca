import type { ResourceType } from '../resource-type.ts'
import { definitions, type Schema } from '../schema/definitions.ts'
import { type Operation, operationsOf } from './operations.ts'

type Members = Record<string, unknown>

/** An OpenAPI v2 document as JSON: all definitions there are, and the paths of these resources. */
export interface OpenApiV2 {
  swagger: '2.0'
  info: { title: string; version: string }
  paths: Record<string, Members>
  definitions: Record<string, Members>
}

const answers = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']

export function openApiV2(rows: readonly ResourceType[], version: string): OpenApiV2 {
  const paths: Record<string, Members> = {}
  for (const operation of rows.flatMap(operationsOf)) {
    paths[operation.path] ??= {}
    Object.assign(paths[operation.path] ?? {}, { [operation.method]: operationV2(operation) })
  }
  const schemas = [...definitions()].map(([name, schema]) => [name, schemaV2(schema)])
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version },
    paths,
    definitions: Object.fromEntries(schemas),
  }
}

function operationV2(operation: Operation): Members {
  const { id, action, kind, parameters, body, consumes, answer } = operation
  const bodyParameter = { name: 'body', in: 'body', required: true, schema: reference(body) }
  return {
    operationId: id,
    consumes,
    produces: answer === undefined ? ['*/*'] : answers,
    parameters: [
      ...parameters.map((one) => ({ ...one, required: one.in === 'path' })),
      ...(body === undefined ? [] : [bodyParameter]),
    ],
    responses: {
      [action === 'post' ? '201' : '200']: {
        description: action === 'post' ? 'Created' : 'OK',
        schema: answer === undefined ? { type: 'string' } : reference(answer),
      },
    },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': kind,
  }
}

function reference(name: string | undefined): Members {
  return { $ref: `#/definitions/${name}` }
}

function schemaV2(schema: Schema): Members {
  const { $ref, properties, items, additionalProperties, ...rest } = schema
  return {
    ...rest,
    ...($ref === undefined ? {} : reference($ref)),
    ...(properties === undefined ? {} : { properties: mapValues(properties, schemaV2) }),
    ...(items === undefined ? {} : { items: schemaV2(items) }),
    ...(additionalProperties === undefined ? {} : { additionalProperties: schemaV2(additionalProperties) }),
  }
}

export function mapValues<A, B>(
  map: Readonly<Record<string, A>>,
  change: (value: A) => B,
): Record<string, B> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]))
}
