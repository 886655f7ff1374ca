/**
 * Undo in reverse. A function that acquires several things in turn declares one `Cleanup` with `await using`,
 * hands each thing to it as soon as it has it, and calls `keep()` once the caller owns the whole. Leaving early,
 * by return or by throw, releases the newest first. A release that fails does not stop the ones before it: all
 * run, and the failures come out together as one AggregateError.
 */
type Release = () => void | PromiseLike<void>

export class Cleanup implements AsyncDisposable {
  #releases: Release[] = []

  /** Takes over a disposable resource and hands it back. Awaits it first, so it may be a promise. */
  async use<T extends Disposable | AsyncDisposable>(resource: T | Promise<T>): Promise<T> {
    const held = await resource
    this.defer(() => (Symbol.asyncDispose in held ? held[Symbol.asyncDispose]() : held[Symbol.dispose]()))
    return held
  }

  defer(release: Release): void {
    this.#releases.push(release)
  }

  /** Forgets everything taken so far: somebody else owns it now. */
  keep(): void {
    this.#releases = []
  }

  /** Hands everything taken so far over to a new owner, to be released by that one alone. */
  move(): Cleanup {
    const owner = new Cleanup()
    owner.#releases = this.#releases
    this.keep()
    return owner
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = []
    for (let release = this.#releases.pop(); release; release = this.#releases.pop()) {
      try {
        await release()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length === 1) throw failures[0]
    if (failures.length > 1) throw new AggregateError(failures, 'several releases failed')
  }
}
