import type { TLSSocket } from 'node:tls'
import { subjectOf } from '../../pki/index.ts'
import { StatusError } from '../status.ts'
import type { User } from './message.ts'

export const anonymous: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] }

const known = new WeakMap<TLSSocket, User | StatusError>()

/**
 * The user of a connection, from its client certificate (CN is the name, each O a group). No certificate:
 * anonymous. A certificate that our authority did not sign is refused with 401; TLS itself let it pass, because a
 * dropped connection would tell the client nothing.
 */
export function authenticate(socket: TLSSocket, authorization: string | undefined): User {
  if (authorization !== undefined) throw unauthorized()
  let found = known.get(socket)
  if (!found) {
    found = identify(socket)
    known.set(socket, found)
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
