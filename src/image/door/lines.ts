import type { Socket } from 'node:net'
import { KeelsonError } from '../../base/index.ts'

/** A description of every image of a large node fits; more is no message of ours. */
const maxLineBytes = 256 * 2 ** 20

/** The JSON values that come, a line each, until either side ends. DATA_LOSS for a line that is none. */
export async function* readLines(socket: Socket): AsyncIterable<unknown> {
  let parts: Buffer[] = []
  let bytes = 0
  for await (const chunk of chunksOf(socket)) {
    let rest = chunk
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      yield parse(Buffer.concat([...parts, rest.subarray(0, end)]))
      parts = []
      bytes = 0
      rest = rest.subarray(end + 1)
    }
    parts.push(rest)
    bytes += rest.length
    if (bytes > maxLineBytes) refuse()
  }
}

export function writeLine(socket: Socket, value: unknown): void {
  if (socket.writable) socket.write(`${JSON.stringify(value)}\n`)
}

/** A socket that breaks has ended. */
async function* chunksOf(socket: Socket): AsyncIterable<Buffer> {
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) yield chunk as Buffer
  } catch {
    return
  }
}

function parse(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'))
  } catch (cause) {
    return refuse(cause)
  }
}

function refuse(cause?: unknown): never {
  throw new KeelsonError('DATA_LOSS', 'the other process does not speak the image store’s protocol', {
    cause,
  })
}
