import { KeelsonError } from '../base/index.ts'
import { changeNetwork, inNamespace, type NetlinkRequest } from './netlink.ts'
import {
  decodeAttributes,
  encodeMessage,
  type NetlinkAttribute,
  type NetlinkMessage,
  readText,
  readU32,
  text,
  u32,
} from './netlink-message.ts'

/** Links (network devices): linux/if_link.h. */
export interface Link {
  index: number
  name: string
  up: boolean
  mtu: number
  /** `02:00:0a:2a:00:05`; empty where the kind has none. */
  macAddress: string
  /** Index of the other end of a veth, in that end's namespace. */
  peerIndex: number | undefined
  /** A number shared by links that belong together; 0: none. */
  group: number
}

export interface VethEnd {
  /** 1 to 15 bytes. */
  name: string
  macAddress: string
  mtu: number
}

export interface VethRequest extends VethEnd {
  group?: number
  /** The other end, made directly in its namespace. */
  peer: VethEnd & { namespaceFd?: number }
}

const request = { newLink: 16, deleteLink: 17, getLink: 18 }
const flag = { request: 0x1, ack: 0x4, dump: 0x300, exclusive: 0x200, create: 0x400 }
const attribute = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  linkInfo: 18,
  group: 27,
  namespaceFd: 28,
  extraMask: 29,
  sendQueues: 31,
  receiveQueues: 32,
}
const withoutStatistics = 0x8
const linkInfo = { kind: 1, data: 2 }
const vethPeer = 1
const interfaceUp = 0x1
const headerBytes = 16

/**
 * Makes a pair of joined links, this one up. The peer is to be set up by a request of its own: the kernel makes it
 * first, and a veth without its other end cannot be up. EEXIST when a name is taken in its namespace.
 */
export function addVeth(veth: VethRequest): NetlinkRequest {
  const { peer, group } = veth
  const peerAttributes = [
    ...endAttributes(peer),
    ...(peer.namespaceFd === undefined
      ? []
      : [{ type: attribute.namespaceFd, value: u32(peer.namespaceFd) }]),
  ]
  // The peer is described by a link header of its own, followed by attributes, inside one attribute.
  const peerValue = encodeMessage(0, 0, linkHeader(), peerAttributes).subarray(16)
  return {
    label: `veth ${veth.name}`,
    message: encodeMessage(
      request.newLink,
      flag.request | flag.ack | flag.create | flag.exclusive,
      linkHeader({ up: true }),
      [
        ...endAttributes(veth),
        ...(group === undefined ? [] : [{ type: attribute.group, value: u32(group) }]),
        {
          type: attribute.linkInfo,
          value: [
            { type: linkInfo.kind, value: text('veth') },
            { type: linkInfo.data, value: [{ type: vethPeer, value: peerValue }] },
          ],
        },
      ],
    ),
  }
}

/** Sets a link up or down. ENODEV when there is none of this name. */
export function setLinkUp(name: string, up = true): NetlinkRequest {
  return {
    label: `link ${name}`,
    message: encodeMessage(request.newLink, flag.request | flag.ack, linkHeader({ up, change: true }), [
      nameAttribute(name),
    ]),
  }
}

/** Deletes a link at once, which waits for the kernel's readers: 30 ms. A veth goes by itself with its namespace. */
export function deleteLink(name: string): NetlinkRequest {
  return {
    label: `link ${name}`,
    message: encodeMessage(request.deleteLink, flag.request | flag.ack, linkHeader(), [nameAttribute(name)]),
  }
}

/** Deletes all links of a group together, for the price of one. ENODEV when the group is empty. */
export function deleteLinkGroup(group: number): NetlinkRequest {
  return {
    label: `link group ${group}`,
    message: encodeMessage(request.deleteLink, flag.request | flag.ack, linkHeader(), [
      { type: attribute.group, value: u32(group) },
    ]),
  }
}

/** Asks for one link; read the answer with `linksOf`. */
export function getLink(name: string): NetlinkRequest {
  return {
    label: `link ${name}`,
    message: encodeMessage(request.getLink, flag.request | flag.ack, linkHeader(), [
      nameAttribute(name),
      { type: attribute.extraMask, value: u32(withoutStatistics) },
    ]),
  }
}

export async function listLinks(namespaceFd?: number): Promise<Link[]> {
  const message = encodeMessage(request.getLink, flag.request | flag.dump, linkHeader())
  const [answer = []] = await changeNetwork(inNamespace(namespaceFd, { label: 'links', message }))
  return linksOf(answer)
}

/** Reads the links out of an answer. */
export function linksOf(messages: readonly NetlinkMessage[]): Link[] {
  return messages.filter(({ type }) => type === request.newLink).map(decodeLink)
}

function decodeLink({ payload }: NetlinkMessage): Link {
  if (payload.length < headerBytes) throw new KeelsonError('DATA_LOSS', 'netlink: a torn link message')
  const attributes = decodeAttributes(payload.subarray(headerBytes))
  return {
    index: payload.readInt32LE(4),
    up: (payload.readUInt32LE(8) & interfaceUp) !== 0,
    name: readText(attributes.get(attribute.name) ?? Buffer.alloc(0)),
    mtu: readU32(attributes.get(attribute.mtu)) ?? 0,
    macAddress: formatMac(attributes.get(attribute.address) ?? Buffer.alloc(0)),
    peerIndex: readU32(attributes.get(attribute.link)),
    group: readU32(attributes.get(attribute.group)) ?? 0,
  }
}

/** struct ifinfomsg: family, pad, type, index, flags, change mask. */
function linkHeader({ up = false, change = up }: { up?: boolean; change?: boolean } = {}): Buffer {
  const header = Buffer.alloc(headerBytes)
  header.writeUInt32LE(up ? interfaceUp : 0, 8)
  header.writeUInt32LE(change ? interfaceUp : 0, 12)
  return header
}

function endAttributes({ name, macAddress, mtu }: VethEnd): NetlinkAttribute[] {
  return [
    nameAttribute(name),
    { type: attribute.address, value: parseMac(macAddress) },
    { type: attribute.mtu, value: u32(mtu) },
    // By default a veth gets queues for every possible CPU, each with objects in sysfs: slow to make on large machines,
    // and of no use without XDP.
    { type: attribute.sendQueues, value: u32(1) },
    { type: attribute.receiveQueues, value: u32(1) },
  ]
}

function nameAttribute(name: string): NetlinkAttribute {
  const length = Buffer.byteLength(name)
  if (length < 1 || length > 15 || /[\s/:\0]/.test(name) || name === '.' || name === '..')
    throw new KeelsonError('INVALID_ARGUMENT', `"${name}" cannot be the name of a link`, {
      hint: '1 to 15 bytes without spaces, "/" and ":"',
    })
  return { type: attribute.name, value: text(name) }
}

export function parseMac(mac: string): Buffer {
  if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) return Buffer.from(mac.replaceAll(':', ''), 'hex')
  throw new KeelsonError('INVALID_ARGUMENT', `"${mac}" is not a MAC address`)
}

export function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':')
}
