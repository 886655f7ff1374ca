import { mkdir, readFile, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { bootId, hasErrno, KeelsonError, writeAtomic } from '../base/index.ts'
import {
  changeNetwork,
  deleteAddress,
  inNamespace,
  listLinks,
  readSysctl,
  setAddress,
  writeSysctl,
} from '../kernel/index.ts'
import { isPodLink } from './names.ts'

/**
 * What we changed in the host's network, written down before it is changed, so that a later process can put it back.
 * Only the first value of a setting is kept; a record of an earlier boot means nothing any more.
 */
export interface HostChangesOptions {
  /** The record's file. */
  path: string
  /** The "host" in which to act; absent: that of the process. */
  namespaceFd?: number | undefined
}

interface Record {
  version: 1
  bootId: string
  sysctls: { path: string; before: string; after: string }[]
  /** On the loopback link. */
  addresses: string[]
}

const loopbackIndex = 1

export async function setHostSysctl(options: HostChangesOptions, path: string, after: string): Promise<void> {
  const before = await readSysctl(path, options.namespaceFd)
  if (before === after) return
  const record = await readRecord(options.path)
  if (!record.sysctls.some((one) => one.path === path)) {
    record.sysctls.push({ path, before, after })
    await writeRecord(options.path, record)
  }
  await writeSysctl(path, after, options.namespaceFd)
}

/**
 * A host that forwards IPv6 takes no router's word any more and would lose its own way out when that expires, unless it
 * is told to (`accept_ra` 2); never from a pod. FAILED_PRECONDITION where IPv6 is switched off.
 */
export async function forwardIPv6(options: HostChangesOptions): Promise<void> {
  const { namespaceFd } = options
  const isOff = await readSysctl('net/ipv6/conf/default/disable_ipv6', namespaceFd).then(
    (value) => value !== '0',
    () => true,
  )
  if (isOff)
    throw new KeelsonError('FAILED_PRECONDITION', 'IPv6 is switched off on this host', {
      hint: 'leave the IPv6 range of pods out, or set net.ipv6.conf.default.disable_ipv6 to 0',
    })
  const forwarding = 'net/ipv6/conf/all/forwarding'
  if ((await readSysctl(forwarding, namespaceFd)) === '1') return
  const links = await listLinks(namespaceFd)
  for (const { name } of links.filter((one) => one.index !== loopbackIndex && !isPodLink(one.name))) {
    const path = `net/ipv6/conf/${name}/accept_ra`
    if ((await readOrNothing(path, namespaceFd)) === '1') await setHostSysctl(options, path, '2')
  }
  await setHostSysctl(options, forwarding, '1')
}

/** Undefined for what belongs to a link that is gone or has no IPv6. */
async function readOrNothing(path: string, namespaceFd: number | undefined): Promise<string | undefined> {
  return readSysctl(path, namespaceFd).catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT')) return undefined
    throw error
  })
}

export async function setLoopbackAddress(options: HostChangesOptions, address: string): Promise<void> {
  const record = await readRecord(options.path)
  if (!record.addresses.includes(address)) {
    record.addresses.push(address)
    await writeRecord(options.path, record)
  }
  await changeNetwork(inNamespace(options.namespaceFd, setAddress({ address, linkIndex: loopbackIndex })))
}

/** Puts everything back that nobody else has changed since, or still needs, and forgets the record. */
export async function restoreHostChanges(
  options: HostChangesOptions,
  { sysctlsNeeded }: { sysctlsNeeded: boolean },
): Promise<void> {
  const record = await readRecord(options.path)
  for (const address of record.addresses) {
    const request = deleteAddress({ address, linkIndex: loopbackIndex })
    await changeNetwork(inNamespace(options.namespaceFd, request)).catch((error: unknown) => {
      if (!hasErrno(error, 'EADDRNOTAVAIL')) throw error
    })
  }
  for (const { path, before, after } of record.sysctls.reverse())
    if (!sysctlsNeeded && (await readOrNothing(path, options.namespaceFd)) === after)
      await writeSysctl(path, before, options.namespaceFd)
  await rm(options.path, { force: true })
}

async function readRecord(path: string): Promise<Record> {
  const fresh: Record = { version: 1, bootId: bootId(), sysctls: [], addresses: [] }
  try {
    const record = JSON.parse(await readFile(path, 'utf8')) as Record
    return record.bootId === fresh.bootId ? record : fresh
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return fresh
    throw error
  }
}

async function writeRecord(path: string, record: Record): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeAtomic(path, JSON.stringify(record))
}
