import * as v from 'valibot'
import { stringify } from 'yaml'
import type { Options } from './command.ts'

/**
 * A configuration as a table. From one tree of settings come the schema that a document is checked with (a setting
 * that is not in it is an error), the defaults, a commented document with every one of them, the reference page and
 * the flags; so none of these can say something else than another.
 */
export interface Setting<Value = unknown> {
  /** What may be written. */
  readonly schema: v.GenericSchema<unknown, Value>
  /** What holds when nothing is written. */
  readonly initial: Value
  /** Sentences: what it does, in which unit, and what is special about its default. */
  readonly help: string
  /** Of the command line, for what is often set there. */
  readonly flag?: Flag
}

interface Flag {
  readonly name: string
  /** What stands for the value in the help. */
  readonly value: string
  readonly help: string
}

export interface Settings {
  readonly [name: string]: Setting | Settings
}

/** What a document that was checked holds. */
export type Values<Table> = {
  readonly [Name in keyof Table]: Table[Name] extends Setting<infer Value> ? Value : Values<Table[Name]>
}

/** A setting whose value is of the schema's type. */
export function setting<Value>(
  schema: v.GenericSchema<unknown, Value>,
  initial: NoInfer<Value>,
  help: string,
  flag?: Flag,
): Setting<Value> {
  return { schema, initial, help, ...(flag && { flag }) }
}

interface Named {
  /** From the root: `['streaming', 'port']`. */
  readonly path: readonly string[]
  readonly setting: Setting
}

/** All settings in the order of the table. */
export function namedSettings(table: Settings, above: readonly string[] = []): Named[] {
  return Object.entries(table).flatMap(([name, entry]) => {
    const path = [...above, name]
    return isSetting(entry) ? [{ path, setting: entry }] : namedSettings(entry, path)
  })
}

/** Fills in what a document does not say, and refuses what the table does not know. */
export function schemaOf<Table extends Settings>(table: Table): v.GenericSchema<unknown, Values<Table>> {
  const entries = Object.entries(table).map(([name, entry]) => [
    name,
    isSetting(entry) ? v.nullish(entry.schema, entry.initial) : v.nullish(schemaOf(entry), {}),
  ])
  return v.nullish(
    v.strictObject(Object.fromEntries(entries), 'a table of settings is expected'),
    {},
  ) as unknown as v.GenericSchema<unknown, Values<Table>>
}

/** As options of a command. */
export function flagsOf(table: Settings): Options {
  const flags = namedSettings(table).flatMap(({ setting: { flag } }) =>
    flag ? [[flag.name, { type: 'string', value: flag.value, help: flag.help } as const] as const] : [],
  )
  return Object.fromEntries(flags)
}

const widthMax = 100

/** A YAML document with every setting, its default, and above it what it does. */
export function defaultDocument(table: Settings, indent = ''): string {
  const parts = Object.entries(table).map(([name, entry]) => {
    if (!isSetting(entry)) return `${indent}${name}:\n${defaultDocument(entry, `${indent}  `)}`
    const comment = wrapped(entry.help, widthMax - indent.length - 2).map((line) => `${indent}# ${line}\n`)
    return `${comment.join('')}${indent}${name}: ${written(entry.initial)}\n`
  })
  return parts.join(indent === '' ? '\n' : '')
}

/** A value as it stands in a document, on one line. */
export function written(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim()
}

function wrapped(text: string, width: number): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? ''
    if (line !== '' && line.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines
}

function isSetting(entry: Setting | Settings): entry is Setting {
  return 'schema' in entry && 'help' in entry && typeof entry.help === 'string'
}
