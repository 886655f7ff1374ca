/**
 * An OpenAPI v2 document in protobuf, in the form that kubectl up to 1.28 reads: the messages of gnostic's
 * openapi.v2 package. Only what our documents contain is listed: of each message the JSON member, its field number
 * and what it holds. Maps are repeated pairs of name and value; anything without a type of its own is JSON text.
 */
import { BinaryWriter } from '@bufbuild/protobuf/wire'

type Kind =
  | 'string'
  | 'strings'
  | 'bool'
  | 'any'
  | 'anys'
  | { message: Message }
  | { list: Message }
  | { map: Message }

interface Message {
  fields?: Readonly<Record<string, readonly [number: number, kind: Kind]>>
  /** Number of the field that takes members whose name begins with `x-`. */
  extensions?: number
  /** Brings the JSON into the shape that `fields` describes, where gnostic's differs. */
  shape?: (json: Members) => Members
}

type Members = Record<string, unknown>

const schema: Message = { extensions: 31 }
const schemaMap: Message = { fields: { all: [1, { map: schema }] }, shape: (json) => ({ all: json }) }
const typeItem: Message = { fields: { value: [1, 'strings'] } }
const itemsItem: Message = { fields: { schema: [1, { message: schema }] } }
const additional: Message = { fields: { schema: [1, { message: schema }] } }
Object.assign(schema, {
  fields: {
    $ref: [1, 'string'],
    format: [2, 'string'],
    required: [19, 'strings'],
    enum: [20, 'anys'],
    additionalProperties: [21, { message: additional }],
    type: [22, { message: typeItem }],
    items: [23, { message: itemsItem }],
    properties: [25, { message: schemaMap }],
  },
  shape: ({ type, items, additionalProperties, ...rest }: Members) => ({
    ...rest,
    ...(type === undefined ? {} : { type: { value: [type] } }),
    ...(items === undefined ? {} : { items: { schema: items } }),
    ...(additionalProperties === undefined ? {} : { additionalProperties: { schema: additionalProperties } }),
  }),
} satisfies Message)

const bodyParameter: Message = {
  fields: {
    name: [2, 'string'],
    in: [3, 'string'],
    required: [4, 'bool'],
    schema: [5, { message: schema }],
  },
}
const plainParameter = (type: number): Message => ({
  fields: { required: [1, 'bool'], in: [2, 'string'], name: [4, 'string'], type: [type, 'string'] },
})
const nonBodyParameter: Message = {
  fields: { query: [3, { message: plainParameter(6) }], path: [4, { message: plainParameter(5) }] },
}
const parameter: Message = {
  fields: { body: [1, { message: bodyParameter }], nonBody: [2, { message: nonBodyParameter }] },
}
const parametersItem: Message = {
  fields: { parameter: [1, { message: parameter }] },
  shape: (json) => ({
    parameter: json['in'] === 'body' ? { body: json } : { nonBody: { [String(json['in'])]: json } },
  }),
}
const schemaItem: Message = {
  fields: { schema: [1, { message: schema }] },
  shape: (json) => ({ schema: json }),
}
const response: Message = { fields: { description: [1, 'string'], schema: [2, { message: schemaItem }] } }
const responseValue: Message = {
  fields: { response: [1, { message: response }] },
  shape: (json) => ({ response: json }),
}
const responses: Message = { fields: { all: [1, { map: responseValue }] }, shape: (json) => ({ all: json }) }
const operation: Message = {
  fields: {
    operationId: [5, 'string'],
    produces: [6, 'strings'],
    consumes: [7, 'strings'],
    parameters: [8, { list: parametersItem }],
    responses: [9, { message: responses }],
  },
  extensions: 13,
}
const pathItem: Message = {
  fields: {
    get: [2, { message: operation }],
    put: [3, { message: operation }],
    post: [4, { message: operation }],
    delete: [5, { message: operation }],
    patch: [8, { message: operation }],
  },
}
const paths: Message = { fields: { all: [2, { map: pathItem }] }, shape: (json) => ({ all: json }) }
const info: Message = { fields: { title: [1, 'string'], version: [2, 'string'] } }
const documentMessage: Message = {
  fields: {
    swagger: [1, 'string'],
    info: [2, { message: info }],
    paths: [8, { message: paths }],
    definitions: [9, { message: schemaMap }],
  },
}

/** Throws a TypeError for a member that the table above does not know: nothing is left out quietly. */
export function encodeOpenApiV2(document: object): Uint8Array {
  const writer = new BinaryWriter()
  write(writer, documentMessage, document as Members)
  return writer.finish()
}

function write(writer: BinaryWriter, message: Message, json: Members): void {
  const shaped = message.shape?.(json) ?? json
  for (const [name, value] of Object.entries(shaped)) {
    const field = message.fields && Object.hasOwn(message.fields, name) ? message.fields[name] : undefined
    if (field) writeField(writer, field[0], field[1], value)
    else if (name.startsWith('x-') && message.extensions)
      writeNamed(writer, message.extensions, name, (pair) => writeAny(pair, 2, value))
    else throw new TypeError(`OpenAPI v2 in protobuf: no field for ${name}`)
  }
}

function writeField(writer: BinaryWriter, number: number, kind: Kind, value: unknown): void {
  if (kind === 'string') writer.tag(number, 2).string(String(value))
  else if (kind === 'bool') writer.tag(number, 0).bool(value === true)
  else if (kind === 'strings') for (const one of value as string[]) writer.tag(number, 2).string(one)
  else if (kind === 'any') writeAny(writer, number, value)
  else if (kind === 'anys') for (const one of value as unknown[]) writeAny(writer, number, one)
  else if ('message' in kind) nest(writer, number, (inner) => write(inner, kind.message, value as Members))
  else if ('list' in kind)
    for (const one of value as Members[]) nest(writer, number, (inner) => write(inner, kind.list, one))
  else
    for (const [name, member] of Object.entries(value as Record<string, Members>))
      writeNamed(writer, number, name, (pair) => nest(pair, 2, (inner) => write(inner, kind.map, member)))
}

function writeNamed(
  writer: BinaryWriter,
  number: number,
  name: string,
  content: (pair: BinaryWriter) => void,
): void {
  nest(writer, number, (pair) => {
    pair.tag(1, 2).string(name)
    content(pair)
  })
}

function writeAny(writer: BinaryWriter, number: number, value: unknown): void {
  nest(writer, number, (inner) => inner.tag(2, 2).string(JSON.stringify(value)))
}

function nest(writer: BinaryWriter, number: number, content: (inner: BinaryWriter) => void): void {
  writer.tag(number, 2).fork()
  content(writer)
  writer.join()
}
