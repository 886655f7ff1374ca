import type { TLSSocket } from 'node:tls'
import { KeelsonError } from '../../base/index.ts'

/** Who a client certificate says its holder is: CN is the user, each O a group. */
export interface Caller {
  name: string
  groups: readonly string[]
}

/** UNAUTHENTICATED without a certificate of the cluster's authority. */
export function callerOf(socket: TLSSocket): Caller {
  if (!socket.authorized) throw new KeelsonError('UNAUTHENTICATED', 'Unauthorized')
  const { subject } = socket.getPeerCertificate()
  const { CN, O } = (subject ?? {}) as { CN?: string | string[]; O?: string | string[] }
  const groups = O === undefined ? [] : [O].flat()
  return { name: [CN ?? ''].flat()[0] ?? '', groups }
}

/** Cluster administrators and the API server may do everything here, others nothing: PERMISSION_DENIED. */
export function authorize({ name, groups }: Caller, allowedUsers: readonly string[]): void {
  if (groups.includes('system:masters') || allowedUsers.includes(name)) return
  throw new KeelsonError('PERMISSION_DENIED', `user "${name}" may not use the kubelet's API`)
}
