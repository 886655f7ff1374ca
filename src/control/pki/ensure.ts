import { chmod, mkdir, readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { addressAt, type Clock, hasErrno, parseCidr, writeAtomic } from '../../base/index.ts'
import {
  type CertificateRequest,
  createAuthority,
  issueCertificate,
  type TlsIdentity,
  unfitBecause,
  type Validity,
} from './certificate.ts'

export interface PkiOptions {
  /** Made with mode 0700; keys and certificates in it are 0600. */
  directory: string
  /** Names and addresses of the API server beside the usual ones. */
  hosts?: readonly string[]
  /** Its first address is the `kubernetes` Service's. */
  serviceCidr: string
  clock: Clock
}

export interface Pki {
  /** PEM of the certificate that signs all the others. */
  authority: string
  /** The API server's own. */
  server: TlsIdentity
  /** CN kubernetes-admin, O system:masters. */
  admin: TlsIdentity
  /** What the API server shows to a kubelet. */
  kubeletClient: TlsIdentity
  /** CN system:node:NAME, O system:nodes, for both directions: the kubelet as client and as https server. */
  kubelet(nodeName: string, hosts: readonly string[]): Promise<TlsIdentity>
  /** Any further identity, kept in the directory as `NAME.crt` and `NAME.key`. */
  identity(name: string, request: CertificateRequest): Promise<TlsIdentity>
}

const dayMs = 86_400_000
const authorityDays = 3650
const leafDays = 365
const renewDays = 30
const backdateMs = 5 * 60_000

/**
 * Loads the cluster's certificates and makes what is absent, unfit or within 30 days of its end. Calling it again
 * changes nothing. An authority near its end is signed anew with its old key, so certificates issued before stay
 * good. One process at a time may call it for a directory: the one that runs the API server.
 */
export async function ensurePki(options: PkiOptions): Promise<Pki> {
  const { directory, clock } = options
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await chmod(directory, 0o700)
  const authority = await ensureAuthority(directory, clock)
  const identity = (name: string, request: CertificateRequest) =>
    ensureIdentity(directory, name, request, authority, clock)
  return {
    authority: authority.certificate,
    server: await identity('apiserver', serverRequest(options)),
    admin: await identity('admin', {
      commonName: 'kubernetes-admin',
      organizations: ['system:masters'],
      usage: 'client',
    }),
    kubeletClient: await identity('apiserver-kubelet-client', {
      commonName: 'kube-apiserver-kubelet-client',
      organizations: ['system:masters'],
      usage: 'client',
    }),
    kubelet: (nodeName, hosts) =>
      identity(`kubelet-${nodeName}`, {
        commonName: `system:node:${nodeName}`,
        organizations: ['system:nodes'],
        hosts,
        usage: 'server and client',
      }),
    identity,
  }
}

function serverRequest({ hosts = [], serviceCidr }: PkiOptions): CertificateRequest {
  const service = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc']
  const own = ['localhost', hostname(), '127.0.0.1', '::1', addressAt(parseCidr(serviceCidr), 1)]
  const all = [...service, 'kubernetes.default.svc.cluster.local', ...own, ...hosts]
  return { commonName: 'kube-apiserver', hosts: [...new Set(all)], usage: 'server' }
}

async function ensureAuthority(directory: string, clock: Clock): Promise<TlsIdentity> {
  const found = await read(directory, 'ca')
  const request: CertificateRequest = { commonName: 'keelson-ca', usage: 'server' }
  if (found && unfitBecause(found, request, found, renewalDate(clock)) === undefined) return found
  const authority = await createAuthority(request.commonName, validity(clock, authorityDays), found?.key)
  await write(directory, 'ca', authority)
  return authority
}

async function ensureIdentity(
  directory: string,
  name: string,
  request: CertificateRequest,
  authority: TlsIdentity,
  clock: Clock,
): Promise<TlsIdentity> {
  const found = await read(directory, name)
  if (found && unfitBecause(found, request, authority, renewalDate(clock)) === undefined) return found
  const identity = await issueCertificate(authority, request, validity(clock, leafDays))
  await write(directory, name, identity)
  return identity
}

function validity(clock: Clock, days: number): Validity {
  const now = clock.nowMs()
  return { notBefore: new Date(now - backdateMs), notAfter: new Date(now + days * dayMs) }
}

function renewalDate(clock: Clock): Date {
  return new Date(clock.nowMs() + renewDays * dayMs)
}

async function read(directory: string, name: string): Promise<TlsIdentity | undefined> {
  try {
    const [certificate, key] = await Promise.all(
      ['crt', 'key'].map((ending) => readFile(join(directory, `${name}.${ending}`), 'utf8')),
    )
    return certificate && key ? { certificate, key } : undefined
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

/** Key first: a crash between the two leaves a pair that does not match or is incomplete, and it is made anew. */
async function write(directory: string, name: string, { certificate, key }: TlsIdentity): Promise<void> {
  await writeAtomic(join(directory, `${name}.key`), key)
  await writeAtomic(join(directory, `${name}.crt`), certificate)
}
