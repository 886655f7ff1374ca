import { native } from './native.ts'
import { decodeMessages, type NetlinkMessage } from './netlink-message.ts'

/**
 * rtnetlink(7) without a library. A request is plain data made by the functions of link.ts and route.ts; `changeNetwork`
 * carries a list out in one go, on a thread that enters each request's network namespace.
 */
export interface NetlinkRequest {
  /** What it is about, for the error: `link kl0`. */
  label: string
  message: Buffer
}

export interface PlacedRequest extends NetlinkRequest {
  /** Network namespace to act in; borrowed. Absent: that of the process. */
  namespaceFd?: number | undefined
}

declare module './native.ts' {
  interface Native {
    netlinkExchange(
      protocol: number,
      requests: { namespaceFd: number; label: string; message: Buffer }[],
    ): Promise<Buffer[]>
    readSysctl(namespaceFd: number, path: string): Promise<string>
    writeSysctl(namespaceFd: number, path: string, value: string): Promise<void>
  }
}

/** Families of netlink: linux/netlink.h. */
export const netlinkProtocol = { route: 0, netfilter: 12 } as const
const processNamespace = -1

/**
 * Carries requests out in order and stops at the first failure: a `SyscallError` whose `call` is the message type
 * (`RTM_NEWROUTE`) and whose `path` is the label with the kernel's own explanation. Answers what came back, per request.
 */
export async function changeNetwork(
  requests: readonly PlacedRequest[],
  protocol: number = netlinkProtocol.route,
): Promise<NetlinkMessage[][]> {
  const answers = await native.netlinkExchange(
    protocol,
    requests.map(({ namespaceFd = processNamespace, label, message }) => ({ namespaceFd, label, message })),
  )
  return answers.map(decodeMessages)
}

/** Places requests into one network namespace. */
export function inNamespace(
  namespaceFd: number | undefined,
  ...requests: readonly NetlinkRequest[]
): PlacedRequest[] {
  return requests.map((request) => ({ ...request, namespaceFd }))
}

/** A file below /proc/sys, by its path there (`net/ipv4/ip_forward`), as a network namespace sees it. */
export function readSysctl(path: string, namespaceFd = processNamespace): Promise<string> {
  return native.readSysctl(namespaceFd, path)
}

export function writeSysctl(path: string, value: string, namespaceFd = processNamespace): Promise<void> {
  return native.writeSysctl(namespaceFd, path, value)
}
