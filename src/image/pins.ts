/** Names that must not be collected, counted: a name is free when the last that pinned it lets go. */
export class Pins {
  readonly #counts = new Map<string, number>()

  pin(names: readonly string[]): Disposable {
    for (const name of names) this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (held) for (const name of names) this.#release(name)
        held = false
      },
    }
  }

  has(name: string): boolean {
    return this.#counts.has(name)
  }

  #release(name: string): void {
    const left = (this.#counts.get(name) ?? 0) - 1
    if (left > 0) this.#counts.set(name, left)
    else this.#counts.delete(name)
  }
}
