/** The part of spdy-transport 3.0.0 that spdy-connection.ts uses; the package brings no types. */
declare module 'spdy-transport' {
  import type { EventEmitter } from 'node:events'
  import type { Duplex } from 'node:stream'

  type Headers = Record<string, string | string[]>

  interface WindowSide {
    current: number
    max: number
    limit: number
  }

  export interface SpdyStream extends Duplex {
    readonly id: number
    readonly headers: Headers
    respond(status: number, headers: Headers, callback?: (error?: Error) => void): void
    abort(code?: string, callback?: () => void): void
  }

  interface Parser {
    parseKVs(buffer: unknown, callback: (error: Error | null, headers?: Headers) => void): void
  }

  interface Framer {
    /** Frames of lower priority go out after those of higher. The callback comes when the chunks have been pushed. */
    schedule(frame: { stream: number; priority: number; chunks: Buffer[]; callback: () => void }): void
    push(chunk: null): void
  }

  export interface SpdyConnection extends EventEmitter {
    readonly _spdyState: {
      parser: Parser & NodeJS.WritableStream
      framer: Framer
      stream: { lastId: { both: number } }
      window: { send: WindowSide }
      streamWindow: { send: WindowSide }
    }
    _setDefaultWindow(settings: unknown): void
    start(version: number): void
    request(
      uri: { method: string; path: string; host?: string; headers: Headers },
      callback?: (error: Error | null, stream: SpdyStream) => void,
    ): SpdyStream
  }

  const transport: {
    connection: {
      create(
        socket: Duplex,
        options: { protocol: 'spdy'; isServer: boolean; maxStreams?: number; windowSize?: number },
      ): SpdyConnection
    }
  }
  export default transport
}
