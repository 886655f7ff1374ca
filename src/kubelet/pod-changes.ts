/** Tells whoever is interested that the containers of a pod changed. */
export class PodChanges {
  readonly #listeners = new Map<string, Set<() => void>>()

  subscribe(uid: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(uid) ?? new Set()
    this.#listeners.set(uid, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#listeners.get(uid) === listeners) this.#listeners.delete(uid)
    }
  }

  tell(uid: string): void {
    for (const listener of this.#listeners.get(uid) ?? []) listener()
  }
}
