import { addressAt, type Cidr, KeelsonError, parseCidr } from '../base/index.ts'
import { formatAddress, parseAddress } from './ip-address.ts'
import { parseMac } from './link.ts'
import { changeNetwork, inNamespace, type NetlinkRequest } from './netlink.ts'
import {
  decodeAttributes,
  encodeMessage,
  type NetlinkAttribute,
  type NetlinkMessage,
  readU32,
  u32,
} from './netlink-message.ts'

/** Addresses, routes and neighbours: linux/if_addr.h, linux/rtnetlink.h, linux/neighbour.h. */
export interface AddressRequest {
  /** With prefix length: `10.42.0.5/32`. */
  address: string
  linkIndex: number
}

export interface RouteRequest {
  /** `10.42.0.5/32`, `0.0.0.0/0`. */
  destination: string
  linkIndex: number
  /** Absent: the destination is on the link itself. */
  gateway?: string
  /** The address that our own packets on this route carry. */
  source?: string
  /** Largest packet, not to be raised by path discovery. */
  mtu?: number
}

export interface Route {
  destination: string
  linkIndex: number
  gateway: string | undefined
  source: string | undefined
}

export interface NeighbourRequest {
  address: string
  macAddress: string
  linkIndex: number
}

const request = {
  newAddress: 20,
  deleteAddress: 21,
  getAddress: 22,
  newRoute: 24,
  deleteRoute: 25,
  getRoute: 26,
}
const newNeighbour = 28
const flag = { request: 0x1, ack: 0x4, dump: 0x300, replace: 0x100, create: 0x400 }
const upsert = flag.request | flag.ack | flag.create | flag.replace
const addressAttribute = { address: 1, local: 2, flags: 8 }
const routeAttribute = { destination: 1, link: 4, gateway: 5, source: 7, metrics: 8, table: 15 }
const metric = { lock: 1, mtu: 2 }
const neighbourAttribute = { destination: 1, linkAddress: 2 }
const scope = { universe: 0, link: 253 }
const mainTable = 254
const protocolStatic = 4
const unicast = 1
const onLink = 0x4
const permanent = 0x80
/** An address that never was on a shared link needs no duplicate detection, which would delay it by a second. */
const noDuplicateDetection = 0x02
const family = { 4: 2, 6: 10 } as const

/** Adds an address or leaves the equal one alone. */
export function setAddress({ address, linkIndex }: AddressRequest): NetlinkRequest {
  return {
    label: `address ${address}`,
    message: addressMessage(request.newAddress, upsert, address, linkIndex),
  }
}

/** EADDRNOTAVAIL when the link does not have it. */
export function deleteAddress({ address, linkIndex }: AddressRequest): NetlinkRequest {
  const flags = flag.request | flag.ack
  return {
    label: `address ${address}`,
    message: addressMessage(request.deleteAddress, flags, address, linkIndex),
  }
}

/** Adds a route to the main table or replaces the one to the same destination. */
export function setRoute(route: RouteRequest): NetlinkRequest {
  return { label: `route ${route.destination}`, message: routeMessage(request.newRoute, upsert, route) }
}

/** Deletes the route to this destination, on whichever link when none is named. ESRCH when there is none. */
export function deleteRoute({
  destination,
  linkIndex = 0,
}: {
  destination: string
  linkIndex?: number
}): NetlinkRequest {
  const message = routeMessage(request.deleteRoute, flag.request | flag.ack, { destination, linkIndex })
  return { label: `route ${destination}`, message }
}

/** A neighbour that is never asked for and never forgotten. */
export function setNeighbour({ address, macAddress, linkIndex }: NeighbourRequest): NetlinkRequest {
  const bytes = parseAddress(address)
  const header = Buffer.alloc(12) // struct ndmsg
  header.writeUInt8(bytes.length === 4 ? family[4] : family[6], 0)
  header.writeInt32LE(linkIndex, 4)
  header.writeUInt16LE(permanent, 8)
  return {
    label: `neighbour ${address}`,
    message: encodeMessage(newNeighbour, upsert, header, [
      { type: neighbourAttribute.destination, value: bytes },
      { type: neighbourAttribute.linkAddress, value: parseMac(macAddress) },
    ]),
  }
}

/** The unicast routes of the main table. */
export async function listRoutes(version: 4 | 6, namespaceFd?: number): Promise<Route[]> {
  const header = Buffer.alloc(12)
  header.writeUInt8(family[version], 0)
  const message = encodeMessage(request.getRoute, flag.request | flag.dump, header)
  const [answer = []] = await changeNetwork(inNamespace(namespaceFd, { label: 'routes', message }))
  return routesOf(answer)
}

export function routesOf(messages: readonly NetlinkMessage[]): Route[] {
  return messages.filter(({ type }) => type === request.newRoute).flatMap(decodeRoute)
}

/** Addresses with prefix length. */
export async function listAddresses(namespaceFd?: number): Promise<{ address: string; linkIndex: number }[]> {
  const message = encodeMessage(request.getAddress, flag.request | flag.dump, Buffer.alloc(8))
  const [answer = []] = await changeNetwork(inNamespace(namespaceFd, { label: 'addresses', message }))
  return answer.filter(({ type }) => type === request.newAddress).map(decodeAddress)
}

function addressMessage(type: number, flags: number, address: string, linkIndex: number): Buffer {
  const [text = '', prefix = ''] = address.split('/')
  const bytes = parseAddress(text)
  const header = Buffer.alloc(8) // struct ifaddrmsg
  header.writeUInt8(bytes.length === 4 ? family[4] : family[6], 0)
  header.writeUInt8(prefix === '' ? bytes.length * 8 : Number(prefix), 1)
  header.writeUInt32LE(linkIndex, 4)
  return encodeMessage(type, flags, header, [
    { type: addressAttribute.local, value: bytes },
    { type: addressAttribute.address, value: bytes },
    ...(bytes.length === 16 ? [{ type: addressAttribute.flags, value: u32(noDuplicateDetection) }] : []),
  ])
}

function routeMessage(type: number, flags: number, route: RouteRequest): Buffer {
  const destination = parseCidr(route.destination)
  const isNew = type === request.newRoute
  return encodeMessage(type, flags, routeHeader(destination, route, isNew), [
    { type: routeAttribute.destination, value: parseAddress(addressAt(destination, 0)) },
    ...(route.linkIndex === 0 ? [] : [{ type: routeAttribute.link, value: u32(route.linkIndex) }]),
    ...optional(routeAttribute.gateway, route.gateway),
    ...optional(routeAttribute.source, route.source),
    ...(route.mtu === undefined ? [] : [mtuMetric(route.mtu)]),
  ])
}

/** struct rtmsg. A deletion with scope "nowhere" (255) and no protocol matches whatever the route has there. */
function routeHeader(destination: Cidr, route: RouteRequest, isNew: boolean): Buffer {
  const header = Buffer.alloc(12)
  const onGateway = route.gateway !== undefined || destination.family === 6
  header.writeUInt8(family[destination.family], 0)
  header.writeUInt8(destination.prefix, 1)
  header.writeUInt8(mainTable, 4)
  header.writeUInt8(isNew ? protocolStatic : 0, 5)
  header.writeUInt8(isNew ? (onGateway ? scope.universe : scope.link) : 255, 6)
  header.writeUInt8(isNew ? unicast : 0, 7)
  header.writeUInt32LE(route.gateway === undefined ? 0 : onLink, 8)
  return header
}

function optional(type: number, address: string | undefined): NetlinkAttribute[] {
  return address === undefined ? [] : [{ type, value: parseAddress(address) }]
}

function mtuMetric(mtu: number): NetlinkAttribute {
  return {
    type: routeAttribute.metrics,
    value: [
      { type: metric.lock, value: u32(1 << metric.mtu) },
      { type: metric.mtu, value: u32(mtu) },
    ],
  }
}

function decodeRoute({ payload }: NetlinkMessage): Route[] {
  if (payload.length < 12) throw new KeelsonError('DATA_LOSS', 'netlink: a torn route message')
  const attributes = decodeAttributes(payload.subarray(12))
  const table = readU32(attributes.get(routeAttribute.table)) ?? payload.readUInt8(4)
  if (table !== mainTable || payload.readUInt8(7) !== unicast) return []
  const size = payload.readUInt8(0) === family[4] ? 4 : 16
  const address = (type: number) => {
    const bytes = attributes.get(type)
    return bytes === undefined ? undefined : formatAddress(bytes)
  }
  const destination = address(routeAttribute.destination) ?? formatAddress(Buffer.alloc(size))
  return [
    {
      destination: `${destination}/${payload.readUInt8(1)}`,
      linkIndex: readU32(attributes.get(routeAttribute.link)) ?? 0,
      gateway: address(routeAttribute.gateway),
      source: address(routeAttribute.source),
    },
  ]
}

function decodeAddress({ payload }: NetlinkMessage): { address: string; linkIndex: number } {
  if (payload.length < 8) throw new KeelsonError('DATA_LOSS', 'netlink: a torn address message')
  const attributes = decodeAttributes(payload.subarray(8))
  const bytes =
    attributes.get(addressAttribute.local) ?? attributes.get(addressAttribute.address) ?? Buffer.alloc(4)
  return { address: `${formatAddress(bytes)}/${payload.readUInt8(1)}`, linkIndex: payload.readUInt32LE(4) }
}
