import type { TLSSocket } from 'node:tls'
import { subjectOf } from '../../pki/index.ts'
import { StatusError } from '../status.ts'
import type { User } from './message.ts'

const anonymous: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] }

const known = new WeakMap<object, User | StatusError>()

/**
 * The user of a connection, from its client certificate (CN is the name, each O a group). No certificate:
 * anonymous. A certificate that our authority did not sign is refused with 401; TLS itself let it pass, because a
 * dropped connection would tell the client nothing. The answer is kept for as long as `connection` (the HTTP/2 session
 * or the socket) lives.
 */
export function authenticate(
  connection: object,
  socketOf: () => TLSSocket,
  authorization: string | undefined,
): User {
  if (authorization !== undefined) throw unauthorized()
  let found = known.get(connection)
  if (!found) {
    found = identify(socketOf())
    known.set(connection, found)
  }
  if (found instanceof StatusError) throw found
  return found
}

function identify(socket: TLSSocket): User | StatusError {
  const certificate = socket.getPeerX509Certificate()
  if (!certificate) return anonymous
  if (!socket.authorized) return unauthorized()
  const { commonName, organizations } = subjectOf(certificate)
  if (commonName === '') return unauthorized()
  return { name: commonName, groups: [...organizations, 'system:authenticated'] }
}

function unauthorized(): StatusError {
  return new StatusError('Unauthorized', 'Unauthorized')
}
