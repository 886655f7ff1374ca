import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { refuse } from './upgrade-proxy.ts'

/**
 * Answers the upgrade with the first offered sub-protocol that is in `known` and returns it. Undefined when there is
 * none: the client has had its 400 or 403 then.
 */
export function switchToSpdy(
  { request, socket, head }: { request: IncomingMessage; socket: Duplex; head: Buffer },
  known: readonly string[],
): string | undefined {
  const offered = (request.headersDistinct['x-stream-protocol-version'] ?? [])
    .flatMap((line) => line.split(','))
    .map((one) => one.trim())
    .filter((one) => one !== '')
  if (offered.length === 0) {
    refuse(socket, 400, 'the header X-Stream-Protocol-Version is missing')
    return undefined
  }
  const version = offered.find((one) => known.includes(one))
  if (version === undefined) {
    const accepted = known.map((one) => `X-Accepted-Stream-Protocol-Versions: ${one}`)
    refuse(socket, 403, `none of the protocols ${offered.join(', ')} is supported`, accepted)
    return undefined
  }
  socket.write(
    [
      'HTTP/1.1 101 Switching Protocols',
      'Connection: Upgrade',
      'Upgrade: SPDY/3.1',
      `X-Stream-Protocol-Version: ${version}`,
      '\r\n',
    ].join('\r\n'),
  )
  if (head.length > 0) socket.unshift(head)
  return version
}
