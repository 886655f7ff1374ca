import { KeelsonError } from '../../base/index.ts'

export type JsonObject = Record<string, unknown>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What is read of a member, or nothing; a member of another kind is told by name. */
export class Members {
  readonly #object: JsonObject
  readonly #where: string

  /** `where` begins the message of whatever is wrong: `/etc/cni/net.d/10-x.conflist: plugins[0]`. */
  constructor(object: unknown, where: string) {
    if (!isObject(object)) throw new KeelsonError('INVALID_ARGUMENT', `${where} is not an object`)
    this.#object = object
    this.#where = where
  }

  text(name: string): string | undefined {
    const value = this.#object[name]
    if (value === undefined || typeof value === 'string') return value
    throw this.wrong(`"${name}" is not a string`)
  }

  number(name: string): number | undefined {
    const value = this.#object[name]
    if (value === undefined || typeof value === 'number') return value
    throw this.wrong(`"${name}" is not a number`)
  }

  /** A list; absent and null, as Go writes an empty one, are empty. */
  list(name: string): readonly unknown[] {
    const value = this.#object[name] ?? []
    if (Array.isArray(value)) return value
    throw this.wrong(`"${name}" is not a list`)
  }

  texts(name: string): string[] {
    return this.list(name).map((value) => {
      if (typeof value === 'string') return value
      throw this.wrong(`"${name}" has an entry that is not a string`)
    })
  }

  /** True and false, also in quotes as in older files. */
  flag(name: string): boolean {
    const value = this.#object[name]
    const word = typeof value === 'string' ? value.toLowerCase() : value
    if (word === undefined || word === false || word === 'false') return false
    if (word === true || word === 'true') return true
    throw this.wrong(`"${name}" is neither true nor false`)
  }

  has(name: string): boolean {
    return this.#object[name] !== undefined
  }

  members(name: string): Members {
    return new Members(this.#object[name] ?? {}, `${this.#where}: ${name}`)
  }

  wrong(what: string): KeelsonError {
    return new KeelsonError('INVALID_ARGUMENT', `${this.#where}: ${what}`)
  }
}
