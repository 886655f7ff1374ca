import { KeelsonError } from '../base/index.ts'

export type TomlValue = string | number | boolean | TomlValue[] | TomlTable
export type TomlTable = Map<string, TomlValue>

/**
 * Reads TOML 1.0 (toml.io), all of it but dates and times, which no file that we read has. Tables are maps, so that
 * no key means anything to JavaScript. INVALID_ARGUMENT says in which line what is wrong.
 */
export function parseToml(text: string): TomlTable {
  return new TomlReader(text.replaceAll('\r\n', '\n')).document()
}

const bareKey = /[A-Za-z0-9_-]+/y
const number =
  /[+-]?(?:0x[0-9a-fA-F_]+|0o[0-7_]+|0b[01_]+|inf|nan|[0-9][0-9_]*(?:\.[0-9_]+)?(?:[eE][+-]?[0-9_]+)?)/y
const escapes: Readonly<Record<string, string>> = {
  b: '\b',
  t: '\t',
  n: '\n',
  f: '\f',
  r: '\r',
  '"': '"',
  '\\': '\\',
}

class TomlReader {
  readonly #text: string
  #at = 0
  /** Tables that were written out and so may not be again. */
  readonly #written = new Set<TomlTable>()
  /** Inline tables and arrays are complete where they stand. */
  readonly #closed = new Set<TomlValue>()

  constructor(text: string) {
    this.#text = text
  }

  document(): TomlTable {
    const root: TomlTable = new Map()
    let table = root
    for (;;) {
      this.#blank(true)
      if (this.#at >= this.#text.length) return root
      if (this.#peek('[')) table = this.#header(root)
      else this.#pair(table)
      this.#lineEnd()
    }
  }

  /** `[a.b]` or `[[a.b]]`. */
  #header(root: TomlTable): TomlTable {
    const isList = this.#peek('[[')
    this.#expect(isList ? '[[' : '[')
    const keys = this.#keys()
    this.#expect(isList ? ']]' : ']')
    const last = keys.pop() ?? ''
    const parent = this.#descend(root, keys)
    return isList ? this.#append(parent, last) : this.#open(parent, last)
  }

  #open(parent: TomlTable, key: string): TomlTable {
    const table = this.#descend(parent, [key])
    if (this.#written.has(table)) this.#fail(`the table ${key} is there twice`)
    this.#written.add(table)
    return table
  }

  #append(parent: TomlTable, key: string): TomlTable {
    const list = parent.get(key) ?? []
    if (!Array.isArray(list) || this.#closed.has(list)) this.#fail(`${key} is no list of tables`)
    const table: TomlTable = new Map()
    list.push(table)
    parent.set(key, list)
    return table
  }

  #pair(table: TomlTable): void {
    const keys = this.#keys()
    const last = keys.pop() ?? ''
    this.#expect('=')
    const parent = this.#descend(table, keys)
    if (parent.has(last)) this.#fail(`${last} is there twice`)
    this.#blank(false)
    parent.set(last, this.#value())
  }

  /** The table below these keys, made where it is not there; of a list of tables its last one. */
  #descend(from: TomlTable, keys: readonly string[]): TomlTable {
    let table = from
    for (const key of keys) {
      const found = table.get(key) ?? new Map()
      table.set(key, found)
      const next = Array.isArray(found) && !this.#closed.has(found) ? found.at(-1) : found
      if (!(next instanceof Map) || this.#closed.has(next)) this.#fail(`${key} is no table that could grow`)
      table = next
    }
    return table
  }

  #keys(): string[] {
    const keys: string[] = []
    do {
      this.#blank(false)
      keys.push(
        this.#peek('"') || this.#peek("'")
          ? this.#string()
          : (this.#match(bareKey) ?? this.#fail('a key is expected')),
      )
      this.#blank(false)
    } while (this.#take('.'))
    return keys
  }

  #value(): TomlValue {
    if (this.#peek('"') || this.#peek("'")) return this.#string()
    if (this.#peek('[')) return this.#list()
    if (this.#peek('{')) return this.#inlineTable()
    if (this.#take('true')) return true
    if (this.#take('false')) return false
    const digits = this.#match(number) ?? this.#fail('a value is expected')
    if (/^\d{4}-\d|^\d{2}:\d/.test(this.#text.slice(this.#at - digits.length)))
      this.#fail('dates and times are not read here')
    return toNumber(digits)
  }

  #list(): TomlValue[] {
    const list: TomlValue[] = []
    this.#closed.add(list)
    this.#expect('[')
    for (;;) {
      this.#blank(true)
      if (this.#take(']')) return list
      list.push(this.#value())
      this.#blank(true)
      if (!this.#peek(']')) this.#expect(',')
    }
  }

  #inlineTable(): TomlTable {
    const table: TomlTable = new Map()
    this.#expect('{')
    this.#blank(false)
    while (!this.#take('}')) {
      this.#pair(table)
      this.#blank(false)
      if (!this.#peek('}')) this.#expect(',')
    }
    this.#closed.add(table)
    return table
  }

  #string(): string {
    const quote = this.#peek('"') ? '"' : "'"
    const isLong = this.#take(quote.repeat(3))
    if (!isLong) this.#expect(quote)
    if (isLong) this.#take('\n') // a line break right after the quotes is no part of it
    const end = isLong ? quote.repeat(3) : quote
    let text = ''
    while (!this.#take(end)) {
      const next = this.#text[this.#at] ?? this.#fail('a text has no end')
      if (next === '\n' && !isLong) this.#fail('a text has no end in its line')
      this.#at += 1
      text += next === '\\' && quote === '"' ? this.#escape(isLong) : next
    }
    // Up to two quotes may stand right before the closing three.
    while (isLong && this.#take(quote)) text += quote
    return text
  }

  #escape(isLong: boolean): string {
    const letter = this.#text[this.#at] ?? ''
    if (isLong && /^[ \t]*\n/.test(this.#text.slice(this.#at))) {
      this.#match(/\s*/y)
      return ''
    }
    this.#at += 1
    const code =
      letter === 'u'
        ? this.#match(/[0-9a-fA-F]{4}/y)
        : letter === 'U'
          ? this.#match(/[0-9a-fA-F]{8}/y)
          : undefined
    if (code !== undefined && Number.parseInt(code, 16) <= 0x10ffff)
      return String.fromCodePoint(Number.parseInt(code, 16))
    return escapes[letter] ?? this.#fail(`\\${letter} means nothing`)
  }

  /** Spaces and, across lines, comments. */
  #blank(acrossLines: boolean): void {
    this.#match(acrossLines ? /(?:[ \t\n]|#[^\n]*)*/y : /[ \t]*/y)
  }

  #lineEnd(): void {
    this.#match(/[ \t]*(?:#[^\n]*)?/y)
    if (this.#at < this.#text.length && !this.#take('\n')) this.#fail('a line break is expected')
  }

  #peek(text: string): boolean {
    return this.#text.startsWith(text, this.#at)
  }

  #take(text: string): boolean {
    const is = this.#peek(text)
    if (is) this.#at += text.length
    return is
  }

  #expect(text: string): void {
    this.#blank(false)
    if (!this.#take(text)) this.#fail(`${text} is expected`)
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const [found] = pattern.exec(this.#text) ?? []
    this.#at += found?.length ?? 0
    return found
  }

  #fail(what: string): never {
    const line = this.#text.slice(0, this.#at).split('\n').length
    throw new KeelsonError('INVALID_ARGUMENT', `line ${line}: ${what}`)
  }
}

function toNumber(digits: string): number {
  const plain = digits.replaceAll('_', '')
  const [, sign = '', rest = ''] = /^([+-]?)(.*)$/.exec(plain) ?? []
  const size = rest === 'inf' ? Number.POSITIVE_INFINITY : Number(rest)
  return sign === '-' ? -size : size
}
