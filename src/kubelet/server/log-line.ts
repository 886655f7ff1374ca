/** One entry of a container log in the CRI format: `<RFC3339Nano> <stdout|stderr> <P|F[:more]> <content>\n`. */
export interface LogLine {
  time: string
  stream: 'stdout' | 'stderr'
  /** A part of a line: its end follows in a later entry, and no newline belongs after it. */
  partial: boolean
  content: Buffer
}

const space = 0x20

/** Undefined for what is not such an entry (a torn write, a foreign file). `line` is without its newline. */
export function parseLogLine(line: Buffer): LogLine | undefined {
  const first = line.indexOf(space)
  const second = first < 0 ? -1 : line.indexOf(space, first + 1)
  const third = second < 0 ? -1 : line.indexOf(space, second + 1)
  if (second < 0) return undefined
  const end = third < 0 ? line.length : third
  const time = line.toString('latin1', 0, first)
  const stream = line.toString('latin1', first + 1, second)
  const [tag] = line.toString('latin1', second + 1, end).split(':')
  if (stream !== 'stdout' && stream !== 'stderr') return undefined
  if ((tag !== 'P' && tag !== 'F') || Number.isNaN(Date.parse(time))) return undefined
  return { time, stream, partial: tag === 'P', content: line.subarray(third < 0 ? line.length : third + 1) }
}

/** Cuts a byte stream into lines without their newlines and keeps the unfinished rest. */
export class LineSplitter {
  #rest: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): Buffer[] {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    const lines: Buffer[] = []
    let start = 0
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, start)) {
      lines.push(bytes.subarray(start, end))
      start = end + 1
    }
    // A copy: the chunk's memory may be reused or much larger than what is left of it.
    this.#rest = Buffer.from(bytes.subarray(start))
    return lines
  }
}
