export interface Size {
  columns: number
  rows: number
}

/** How long a session with a terminal waits for its client to tell the size; every known one tells it at once. */
export const firstSizeWithinMs = 100

/** Terminal sizes: the last one waits for whoever listens later. */
export class ResizeFeed {
  #last: Size | undefined
  #listener: ((size: Size) => void) | undefined
  #text = ''
  #first: (() => void) | undefined

  /** JSON objects one after the other, cut anywhere: `{"Width":80,"Height":24}` (both 16 bit; 0 means unknown). */
  feed(chunk: Buffer): void {
    this.#text += chunk.toString()
    for (let end = this.#text.indexOf('}'); end >= 0; end = this.#text.indexOf('}')) {
      this.#tell(parseSize(this.#text.slice(0, end + 1)))
      this.#text = this.#text.slice(end + 1)
    }
    // An object that never ends is no size.
    if (this.#text.length > 1000) this.#text = ''
  }

  onResize(listener: (size: Size) => void): void {
    this.#listener = listener
    if (this.#last) listener(this.#last)
  }

  /** Resolves when a size has come, or after this time: a program that asks at once shall find it set. */
  firstWithin(ms: number): Promise<void> {
    if (this.#last) return Promise.resolve()
    return new Promise((resolve) => {
      const late = setTimeout(resolve, ms)
      this.#first = () => {
        clearTimeout(late)
        resolve()
      }
    })
  }

  #tell(size: Size | undefined): void {
    if (!size) return
    this.#last = size
    this.#first?.()
    this.#listener?.(size)
  }
}

function parseSize(text: string): Size | undefined {
  try {
    const { Width: columns, Height: rows } = JSON.parse(text)
    return isDimension(columns) && isDimension(rows) ? { columns, rows } : undefined
  } catch {
    return undefined
  }
}

function isDimension(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 0xffff
}
