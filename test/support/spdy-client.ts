import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { Duplex } from 'node:stream'
import transport, { type SpdyConnection, type SpdyStream } from 'spdy-transport'

/** A SPDY client over an upgraded connection, as far as tests of the streaming server need one. */
export class SpdyClient {
  readonly #connection: SpdyConnection
  readonly protocol: string

  private constructor(connection: SpdyConnection, protocol: string) {
    this.#connection = connection
    this.protocol = protocol
  }

  static async dial(url: string, protocols: string[]): Promise<SpdyClient> {
    const { response, socket } = await upgrade(url, protocols)
    if (!socket) throw new Error(`refused: ${response.statusCode}`)
    return SpdyClient.over(socket, String(response.headers['x-stream-protocol-version']))
  }

  static over(socket: Duplex, protocol: string): SpdyClient {
    const connection = transport.connection.create(socket, { protocol: 'spdy', isServer: false })
    connection.on('error', () => undefined)
    // The package would drop what its streams have not handed on yet when the server closes.
    Object.assign(connection, { destroyStreams: () => undefined })
    connection.start(3.1)
    return new SpdyClient(connection, protocol)
  }

  /** Opens a stream and waits for its SYN_REPLY. */
  async open(headers: Record<string, string>): Promise<SpdyStream> {
    const stream = this.#connection.request({ method: 'POST', path: '/', headers })
    stream.on('error', () => undefined)
    await once(stream, 'response')
    return stream
  }
}

/** The upgrade alone: the response, and the socket where it was granted. */
export async function upgrade(
  url: string,
  protocols: string[],
): Promise<{ response: IncomingMessage; socket?: Duplex }> {
  const outgoing = request(url, {
    method: 'POST',
    headers: { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': protocols },
  })
  outgoing.end()
  return new Promise((resolve, reject) => {
    outgoing.on('error', reject)
    outgoing.on('response', (response) => resolve({ response }))
    outgoing.on('upgrade', (response, socket, head) => {
      if (head.length > 0) socket.unshift(head)
      resolve({ response, socket })
    })
  })
}
