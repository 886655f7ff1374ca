/** The store as a list of everything that ever happened: slow, and too simple to be wrong in the same way. */
interface Happened {
  revision: number
  key: string
  value: string | undefined
}

export class ModelStore {
  revision = 1
  compacted = 0
  readonly #history: Happened[] = []

  write(writes: readonly ({ put: string; value: string } | { remove: string })[]): void {
    const changes = writes.flatMap((one): Omit<Happened, 'revision'>[] => {
      if ('put' in one) return [{ key: one.put, value: one.value }]
      return this.#newest(one.remove, this.revision)?.value === undefined
        ? []
        : [{ key: one.remove, value: undefined }]
    })
    if (changes.length === 0) return
    this.revision++
    for (const change of changes) this.#history.push({ ...change, revision: this.revision })
  }

  swap(key: string, guess: number, value: string): boolean {
    const newest = this.#newest(key, this.revision)
    if ((newest?.value === undefined ? 0 : newest.revision) !== guess) return false
    this.write([{ put: key, value }])
    return true
  }

  list(prefix: string, revision: number): unknown[] {
    const keys = [...new Set(this.#history.map(({ key }) => key))]
      .filter((key) => key.startsWith(prefix))
      .sort()
    return keys.flatMap((key) => {
      const newest = this.#newest(key, revision)
      return newest?.value === undefined
        ? []
        : [[key, newest.value, newest.revision, this.#versionOf(key, revision)]]
    })
  }

  events(afterRevision: number): string[] {
    return this.#history
      .filter(({ revision }) => revision > afterRevision)
      .map(({ revision, key, value }) => `${revision} ${value === undefined ? 'remove' : 'put'} ${key}`)
  }

  #newest(key: string, revision: number): Happened | undefined {
    return this.#history.filter((one) => one.key === key && one.revision <= revision).at(-1)
  }

  #versionOf(key: string, revision: number): number {
    const own = this.#history.filter((one) => one.key === key && one.revision <= revision)
    return own.length - 1 - own.findLastIndex(({ value }) => value === undefined)
  }
}
