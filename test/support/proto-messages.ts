import { readFileSync } from 'node:fs'

/** The messages of cri/proto, as far as making bytes of them goes. */
export interface ProtoField {
  name: string
  number: number
  /** A scalar's word, or the name of a message or enum. */
  type: string
  repeated: boolean
  /** `map<string, string>` is a repeated message of key and value. */
  map?: { key: string; value: string }
}

export interface ProtoRpc {
  path: string
  name: string
  request: string
  isStream: boolean
}

export interface ProtoFile {
  messages: ReadonlyMap<string, readonly ProtoField[]>
  enums: ReadonlyMap<string, readonly number[]>
  rpcs: readonly ProtoRpc[]
}

const source = new URL('../../cri/proto/runtime/v1/api.proto', import.meta.url)

/** Reads the subset of proto3 that the file is written in. */
export function readProto(text = readFileSync(source, 'utf8')): ProtoFile {
  const messages = new Map<string, ProtoField[]>()
  const enums = new Map<string, number[]>()
  const rpcs: ProtoRpc[] = []
  const open: { kind: string; name: string }[] = []
  for (const raw of text.split('\n')) {
    const line = raw.replace(/\/\/.*$/, '').trim()
    const opened = /^(service|message|enum) (\w+) \{/.exec(line)
    if (opened) open.push({ kind: opened[1] ?? '', name: opened[2] ?? '' })
    const inside = open.at(-1)
    if (opened && inside?.kind === 'message') messages.set(inside.name, [])
    if (opened && inside?.kind === 'enum') enums.set(inside.name, [])
    const rpc = /^rpc (\w+)\((\w+)\) returns \((stream )?\w+\)/.exec(line)
    if (rpc) {
      const [, name = '', request = '', stream] = rpc
      rpcs.push({
        path: `/runtime.v1.${inside?.name}/${name}`,
        name,
        request,
        isStream: stream !== undefined,
      })
    } else if (inside?.kind === 'message') {
      const field = fieldOf(line)
      if (field) messages.get(inside.name)?.push(field)
    } else if (inside?.kind === 'enum') {
      const value = /^\w+ = (\d+)/.exec(line)?.[1]
      if (value !== undefined) enums.get(inside.name)?.push(Number(value))
    }
    if (line.endsWith('}') && !rpc) open.pop()
  }
  return { messages, enums, rpcs }
}

function fieldOf(line: string): ProtoField | undefined {
  const map = /^map<(\w+), *(\w+)> (\w+) = (\d+)/.exec(line)
  if (map) {
    const [, key = '', value = '', name = '', number] = map
    return { name, number: Number(number), type: 'map', repeated: true, map: { key, value } }
  }
  const found = /^(repeated )?([\w.]+) (\w+) = (\d+)/.exec(line)
  if (!found) return undefined
  const [, repeated, type = '', name = '', number] = found
  return {
    name,
    number: Number(number),
    type: type.split('.').at(-1) ?? '',
    repeated: repeated !== undefined,
  }
}
