import type { Socket } from 'node:net'
import { native } from './native.ts'
import { type OwnedFd, ownFd } from './owned-fd.ts'

declare module './native.ts' {
  interface Native {
    connectLoopback(namespaceFd: number, port: number): Promise<number>
    peerUid(socket: number): number
    sendDatagram(path: string, text: string): void
  }
}

/**
 * A TCP connection to a port on the loopback (IPv4, else IPv6) of a network namespace, a borrowed descriptor;
 * ECONNREFUSED when nothing listens there.
 */
export async function connectLoopback(namespaceFd: number, port: number): Promise<OwnedFd> {
  return ownFd(await native.connectLoopback(namespaceFd, port))
}

/** Who is at the other end of a Unix socket (SO_PEERCRED): the effective uid it connected with. */
export function peerUid(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { _handle?: { fd: number } } // Node tells the descriptor nowhere else
  return native.peerUid(handle?.fd ?? -1)
}

/** One datagram to a Unix socket, `@NAME` for one of the abstract kind. Never waits: EAGAIN when nobody reads. */
export function sendDatagram(path: string, text: string): void {
  native.sendDatagram(path, text)
}
