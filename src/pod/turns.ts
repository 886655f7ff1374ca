/** Work on the same thing one after the other, in the order asked for; on different things at once. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()

  /** Of `work`'s result; a failure before it does not keep it from its turn. */
  take<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(key) ?? Promise.resolve()
    const turn = before.then(work, work)
    const settled = turn.then(
      () => undefined,
      () => undefined,
    )
    this.#last.set(key, settled)
    void settled.then(() => {
      if (this.#last.get(key) === settled) this.#last.delete(key)
    })
    return turn
  }
}
