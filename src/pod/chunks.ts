/** A streamed list comes in messages of so many items and bytes; a client takes 16 MiB. */
const itemsMax = 500
const bytesMax = 4 * 1024 * 1024

interface Codec<Item> {
  encode(item: Item): { finish(): Uint8Array }
}

/**
 * Cuts a list apart, each item once and in its order, no piece empty. A piece is longer than the bound only when a
 * single item is, and a request that made such an item was no longer than a message may be.
 */
export async function* inChunks<Item>(
  items: Iterable<Item> | AsyncIterable<Item>,
  codec: Codec<Item>,
  { items: most, bytes: bytesMost } = { items: itemsMax, bytes: bytesMax },
): AsyncGenerator<Item[]> {
  let chunk: Item[] = []
  let bytes = 0
  for await (const item of items) {
    const size = codec.encode(item).finish().length
    if (chunk.length > 0 && (chunk.length >= most || bytes + size > bytesMost)) {
      yield chunk
      chunk = []
      bytes = 0
    }
    chunk.push(item)
    bytes += size
  }
  if (chunk.length > 0) yield chunk
}
