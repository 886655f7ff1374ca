import { once } from 'node:events'
import type { Sink } from './message.ts'

interface Writable extends NodeJS.EventEmitter {
  write(chunk: Uint8Array | string): boolean
  readonly writableLength: number
  readonly writableNeedDrain: boolean
  readonly destroyed: boolean
}

/** A response as a sink: writes after the client left are dropped, `drained` ends when it leaves. */
export function sinkOf(writable: Writable): Sink {
  return {
    write(chunk) {
      if (!writable.destroyed) writable.write(chunk)
    },
    get bufferedBytes() {
      return writable.writableLength
    },
    async drained() {
      if (writable.destroyed || !writable.writableNeedDrain) return
      const stop = new AbortController()
      const ends = ['drain', 'close'].map((event) => once(writable, event, { signal: stop.signal }))
      await Promise.race(ends).catch(() => undefined)
      stop.abort()
      await Promise.allSettled(ends)
    },
  }
}
