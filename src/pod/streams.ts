import type { Readable, Writable } from 'node:stream'
import type { ClientStreams, StreamingUrls } from '../../cri/service.ts'
import { type Clock, KeelsonError } from '../base/index.ts'
import type { PodContext } from './context.ts'

export function streamingOf({ streaming }: PodContext): StreamingUrls {
  if (streaming) return streaming
  throw new KeelsonError('UNIMPLEMENTED', 'this runtime was started without a streaming server')
}

interface ProcessEnds {
  readonly stdin?: Writable
  readonly stdout?: Readable
  readonly stderr?: Readable
}

/** Joins a process and a client. Resolves when all its output has gone to the client or nowhere. */
export async function connectStreams(process: ProcessEnds, client: ClientStreams): Promise<void> {
  if (client.stdin && process.stdin) {
    process.stdin.on('error', () => undefined)
    client.stdin.pipe(process.stdin)
  }
  await Promise.all([forward(process.stdout, client.stdout), forward(process.stderr, client.stderr)])
}

const quietMs = 1000
const lookEveryMs = 50

/**
 * Of a process that has ended: until its output is `flushed`. What it left behind may keep the output open without end, so
 * that gets a second; the time in which the client was slow to take what was there does not count.
 */
export async function flushedOrQuiet(
  flushed: Promise<void>,
  client: ClientStreams,
  clock: Clock,
): Promise<void> {
  let isFlushed = false
  const done = flushed.then(() => {
    isFlushed = true
  })
  for (let leftMs = quietMs; leftMs > 0 && !isFlushed && !client.signal.aborted; ) {
    await Promise.race([done, clock.sleep(lookEveryMs)])
    if (!client.stdout?.writableNeedDrain && !client.stderr?.writableNeedDrain) leftMs -= lookEveryMs
  }
}

/** Output nobody wants is read all the same: the process must not wait for a reader. */
function forward(from: Readable | undefined, to: Writable | undefined): Promise<void> {
  if (!from) return Promise.resolve()
  const ended = new Promise<void>((resolve) => {
    from.once('close', () => resolve())
    from.once('end', () => resolve())
    from.on('error', () => resolve())
  })
  if (!to) from.resume()
  else {
    from.pipe(to, { end: false })
    // After pipe's own, which pauses: a client may close one output and want the others, and the exit.
    for (const event of ['error', 'close']) to.on(event, () => from.resume())
  }
  return ended
}
