import { native } from './native.ts'
import { type OwnedFd, ownFd } from './owned-fd.ts'

declare module './native.ts' {
  interface Native {
    connectLoopback(namespaceFd: number, port: number): Promise<number>
  }
}

/**
 * A TCP connection to a port on the loopback (IPv4, else IPv6) of a network namespace, a borrowed descriptor;
 * ECONNREFUSED when nothing listens there.
 */
export async function connectLoopback(namespaceFd: number, port: number): Promise<OwnedFd> {
  return ownFd(await native.connectLoopback(namespaceFd, port))
}
