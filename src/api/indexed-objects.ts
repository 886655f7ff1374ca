import type { ObjectKey } from './meta.ts'

/** Index name → the values under which an object is found. */
export type Indexes<T> = Readonly<Record<string, (object: T) => readonly string[]>>

/** Objects by key, and by the values of any number of indexes. */
export class IndexedObjects<T> {
  readonly #byKey = new Map<ObjectKey, T>()
  readonly #indexes: Indexes<T>
  readonly #keysByValue = new Map<string, Map<string, Set<ObjectKey>>>()

  constructor(indexes: Indexes<T>) {
    this.#indexes = indexes
    for (const name of Object.keys(indexes)) this.#keysByValue.set(name, new Map())
  }

  get(key: ObjectKey): T | undefined {
    return this.#byKey.get(key)
  }

  list(): T[] {
    return [...this.#byKey.values()]
  }

  by(index: string, value: string): T[] {
    const keys = this.#keysByValue.get(index)
    if (!keys) throw new RangeError(`no index ${index}`)
    return [...(keys.get(value) ?? [])].flatMap((key) => this.#byKey.get(key) ?? [])
  }

  set(key: ObjectKey, object: T): void {
    this.#unindex(key)
    this.#byKey.set(key, object)
    for (const [name, values] of this.#keysByValue)
      for (const value of this.#indexes[name]?.(object) ?? []) {
        const keys = values.get(value)
        if (keys) keys.add(key)
        else values.set(value, new Set([key]))
      }
  }

  delete(key: ObjectKey): boolean {
    this.#unindex(key)
    return this.#byKey.delete(key)
  }

  #unindex(key: ObjectKey): void {
    const object = this.#byKey.get(key)
    if (object === undefined) return
    for (const [name, values] of this.#keysByValue)
      for (const value of this.#indexes[name]?.(object) ?? []) {
        const keys = values.get(value)
        keys?.delete(key)
        if (keys?.size === 0) values.delete(value)
      }
  }
}
