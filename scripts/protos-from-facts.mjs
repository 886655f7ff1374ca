#!/usr/bin/env node
// protos-from-facts FACTS.json PACKAGE OUT.proto: writes our own .proto text from an interface-facts file.
// Nothing but names, numbers and types; nested (dotted) messages are written inside their parent.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

const [, , factsPath, packageName, outPath] = process.argv
if (!outPath) {
  console.error('usage: protos-from-facts FACTS.json PACKAGE OUT.proto')
  process.exit(2)
}
const facts = JSON.parse(await readFile(factsPath, 'utf8'))
const source = facts.packages?.[packageName] ?? facts
const lines = ['syntax = "proto3";', '', `package ${packageName};`, '']
const children = (parent) =>
  [...Object.keys(source.messages), ...Object.keys(source.enums)].filter(
    (name) =>
      name.startsWith(parent === '' ? '' : `${parent}.`) &&
      !name.slice(parent === '' ? 0 : parent.length + 1).includes('.'),
  )

const imports = new Set()
for (const fields of Object.values(source.messages))
  for (const field of Object.values(fields)) {
    const types = [field.type, field.map?.value]
    if (types.includes('google.protobuf.Timestamp')) imports.add('google/protobuf/timestamp.proto')
    if (types.some((type) => /^google\.protobuf\..*Value$/.test(type ?? '')))
      imports.add('google/protobuf/wrappers.proto')
  }
for (const name of imports) lines.push(`import "${name}";`)

function fieldLine(name, field, indent) {
  const type = field.map ? `map<${field.map.key}, ${field.map.value}>` : field.type
  const label = field.repeated ? 'repeated ' : field.optional ? 'optional ' : ''
  const deprecated = field.options?.deprecated ? ' [deprecated = true]' : ''
  return `${indent}${label}${type} ${name} = ${field.number}${deprecated};`
}

function writeMessage(name, indent) {
  lines.push('', `${indent}message ${name.split('.').at(-1)} {`)
  for (const child of children(name)) writeType(child, `${indent}  `)
  const oneofs = new Map()
  for (const [field, facts] of Object.entries(source.messages[name])) {
    if (facts.oneof && !facts.optional)
      oneofs.set(facts.oneof, [...(oneofs.get(facts.oneof) ?? []), [field, facts]])
    else lines.push(fieldLine(field, facts, `${indent}  `))
  }
  for (const [oneof, fields] of oneofs) {
    lines.push(`${indent}  oneof ${oneof} {`)
    for (const [field, facts] of fields) lines.push(fieldLine(field, facts, `${indent}    `))
    lines.push(`${indent}  }`)
  }
  lines.push(`${indent}}`)
}

function writeEnum(name, indent) {
  lines.push('', `${indent}enum ${name.split('.').at(-1)} {`)
  const values = Object.entries(source.enums[name])
  for (const [value, number] of values.sort((a, b) => a[1] - b[1]))
    lines.push(`${indent}  ${value} = ${number};`)
  lines.push(`${indent}}`)
}

const writeType = (name, indent) =>
  name in source.enums ? writeEnum(name, indent) : writeMessage(name, indent)

for (const [service, rpcs] of Object.entries(source.services)) {
  lines.push('', `service ${service} {`)
  for (const [rpc, { request, response, clientStreaming, serverStreaming }] of Object.entries(rpcs))
    lines.push(
      `  rpc ${rpc}(${clientStreaming ? 'stream ' : ''}${request}) returns (${serverStreaming ? 'stream ' : ''}${response});`,
    )
  lines.push('}')
}
for (const name of children('')) writeType(name, '')
await mkdir(dirname(outPath), { recursive: true })
await writeFile(outPath, `${lines.join('\n')}\n`)
