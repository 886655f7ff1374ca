/**
 * What a controller did but has not yet seen come back through its informer. Until every expected creation and
 * deletion was seen, its cache is known to be stale and acting on it would do the same thing twice.
 */
export class Expectations {
  readonly #created = new Map<string, Set<string>>()
  readonly #deleted = new Map<string, Set<string>>()

  expectCreated(owner: string, key: string): void {
    add(this.#created, owner, key)
  }

  expectDeleted(owner: string, key: string): void {
    add(this.#deleted, owner, key)
  }

  /** An object was seen for the first time, or it is gone again: either way its creation is no news any more. */
  sawCreated(owner: string, key: string): void {
    remove(this.#created, owner, key)
  }

  sawDeleted(owner: string, key: string): void {
    remove(this.#created, owner, key)
    remove(this.#deleted, owner, key)
  }

  /** True when the cache shows all that was done for this owner. */
  met(owner: string): boolean {
    return !this.#created.has(owner) && !this.#deleted.has(owner)
  }

  forget(owner: string): void {
    this.#created.delete(owner)
    this.#deleted.delete(owner)
  }
}

function add(map: Map<string, Set<string>>, owner: string, key: string): void {
  map.set(owner, (map.get(owner) ?? new Set()).add(key))
}

function remove(map: Map<string, Set<string>>, owner: string, key: string): void {
  const keys = map.get(owner)
  keys?.delete(key)
  if (keys?.size === 0) map.delete(owner)
}
