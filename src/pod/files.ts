import { chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DNSConfig } from '../../cri/types.ts'

/** The files every container of a pod sees, by their place in it. They live on the host as long as the sandbox. */
export interface PodFiles {
  hostname: string
  addresses: readonly string[]
  dns: DNSConfig | undefined
  hostNetwork: boolean
  /** Root of the pod, as the host sees it: the pod may change what it sees. */
  owner: { uid: number; gid: number }
}

const names = { '/etc/hostname': 'hostname', '/etc/hosts': 'hosts', '/etc/resolv.conf': 'resolv.conf' }

export function podFilePaths(directory: string): Record<string, string> {
  return Object.fromEntries(Object.entries(names).map(([place, name]) => [place, join(directory, name)]))
}

/**
 * Where the DNS configuration says nothing the host's resolv.conf is copied; with the host's network, its hosts. The
 * directory is in memory (/run), so each write is instant, and a trip to another thread would be most of its time.
 */
export async function writePodFiles(directory: string, files: PodFiles): Promise<void> {
  const { hostname, dns, hostNetwork, owner } = files
  const resolv = (dns && resolvText(dns)) || (await readOrEmpty('/etc/resolv.conf'))
  const hosts = hostNetwork ? await readOrEmpty('/etc/hosts') : hostsText(files)
  mkdirSync(directory, { recursive: true, mode: 0o755 })
  writeOwned(join(directory, 'hostname'), `${hostname}\n`, owner)
  writeOwned(join(directory, 'resolv.conf'), resolv, owner)
  writeOwned(join(directory, 'hosts'), hosts, owner)
}

function writeOwned(path: string, text: string, { uid, gid }: PodFiles['owner']): void {
  writeFileSync(path, text, { mode: 0o644 })
  if (uid !== 0 || gid !== 0) chownSync(path, uid, gid)
}

export async function removePodFiles(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true })
}

export function hostsText({ hostname, addresses }: Pick<PodFiles, 'hostname' | 'addresses'>): string {
  const own = hostname ? addresses.map((address) => `${address}\t${hostname}\n`) : []
  return [
    '127.0.0.1\tlocalhost\n',
    '::1\tlocalhost ip6-localhost ip6-loopback\n',
    'fe00::0\tip6-localnet\n',
    'ff02::1\tip6-allnodes\n',
    'ff02::2\tip6-allrouters\n',
    ...own,
  ].join('')
}

/** resolv.conf(5). */
export function resolvText({ servers, searches, options }: DNSConfig): string {
  return [
    ...(searches.length > 0 ? [`search ${searches.join(' ')}\n`] : []),
    ...servers.map((server) => `nameserver ${server}\n`),
    ...(options.length > 0 ? [`options ${options.join(' ')}\n`] : []),
  ].join('')
}

async function readOrEmpty(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}
