import { brotliDecompressSync } from 'node:zlib'
import { protobufFields } from './fields.generated.ts'

export interface Field {
  name: string
  /** `string`, `int32`, …, the full name of a message, or a map's value type in `mapOf`. */
  type: string
  repeated: boolean
  /** Value type of a map with string keys. */
  mapOf?: string
}

/** Fields of one message by their number. */
export type Message = ReadonlyMap<number, Field>

type Facts = Record<string, Record<string, [number, string, string, 'repeated'?][]>>

let facts: Facts | undefined
const built = new Map<string, Message>()

/** A message by its full name, `k8s.io.api.core.v1.Pod`; undefined when there is none. */
export function messageOf(fullName: string): Message | undefined {
  let message = built.get(fullName)
  if (!message) {
    const dot = fullName.lastIndexOf('.')
    const home = fullName.slice(0, dot)
    const rows = load()[home]?.[fullName.slice(dot + 1)]
    if (!rows) return undefined
    message = new Map(
      rows.map(([number, name, type, repeated]) => [number, fieldOf(home, name, type, repeated)]),
    )
    built.set(fullName, message)
  }
  return message
}

/** The protobuf name of a definition of the API: `io.k8s.api.core.v1.Pod` → `k8s.io.api.core.v1.Pod`. */
export function messageName(definition: string): string {
  return definition.replace(/^io\.k8s/, 'k8s.io')
}

export function definitionName(message: string): string {
  return message.replace(/^k8s\.io/, 'io.k8s')
}

function load(): Facts {
  facts ??= JSON.parse(brotliDecompressSync(Buffer.from(protobufFields, 'base64')).toString()) as Facts
  return facts
}

function fieldOf(home: string, name: string, type: string, repeated: string | undefined): Field {
  const map = /^map<string,\s*(.+)>$/.exec(type)
  const full = (short: string) => (/^[A-Z]/.test(short) ? `${home}.${short}` : short.replace(/^\./, ''))
  if (map?.[1] !== undefined) return { name, type, repeated: false, mapOf: full(map[1]) }
  return { name, type: full(type), repeated: repeated !== undefined }
}
