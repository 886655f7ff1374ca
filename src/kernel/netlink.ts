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

interface Placed {
  label: string
  /** Network namespace to act in; borrowed. Absent: that of the process. */
  namespaceFd?: number | undefined
}

export interface PlacedMessage extends NetlinkRequest, Placed {
  /**
   * In place of the index it was made with, the message carries that of the link which an answer before it described
   * last, or of this link's other end: a link is made, looked up and set up in one go.
   */
  link?: 'found' | 'peer'
}

/** A file below /proc/sys, written in between. One that this host does not have or does not let us change stays. */
export interface PlacedSetting extends Placed {
  setting: string
  value: string
}

export type PlacedRequest = PlacedMessage | PlacedSetting

declare module './native.ts' {
  interface Native {
    netlinkExchange(
      protocol: number,
      requests: readonly (PlacedRequest & { namespaceFd: number })[],
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
    requests.map((request) => ({ ...request, namespaceFd: request.namespaceFd ?? processNamespace })),
  )
  return answers.map(decodeMessages)
}

/** Places requests into one network namespace. */
export function inNamespace(
  namespaceFd: number | undefined,
  ...requests: readonly NetlinkRequest[]
): PlacedMessage[] {
  return requests.map((request) => ({ ...request, namespaceFd }))
}

/** To be written where this host has it and lets us. */
export function setting(path: string, value: string, namespaceFd?: number): PlacedSetting {
  return { label: path, setting: path, value, namespaceFd }
}

/** A file below /proc/sys, by its path there (`net/ipv4/ip_forward`), as a network namespace sees it. */
export function readSysctl(path: string, namespaceFd = processNamespace): Promise<string> {
  return native.readSysctl(namespaceFd, path)
}

export function writeSysctl(path: string, value: string, namespaceFd = processNamespace): Promise<void> {
  return native.writeSysctl(namespaceFd, path, value)
}
