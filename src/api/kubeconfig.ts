/** kubectl's configuration file: read for our own clients, written for the user's kubectl. */
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parse, stringify } from 'yaml'
import { asKeelsonError, KeelsonError } from '../base/index.ts'
import type { HttpTransportOptions } from './http-transport.ts'

/** What one context of a kubeconfig says; `transport` goes straight into `createHttpTransport`. */
export interface ClusterAccess {
  transport: Pick<HttpTransportOptions, 'server' | 'ca' | 'cert' | 'key' | 'token' | 'serverName'>
  namespace: string
}

export interface KubeconfigContent {
  /** Name of cluster, user and context alike. */
  name: string
  server: string
  /** PEM, all three. */
  ca: string
  cert: string
  key: string
}

export function formatKubeconfig({ name, server, ca, cert, key }: KubeconfigContent): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [{ name, user: { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  })
}

/** INVALID_ARGUMENT says what is missing in the file; files that it names are read relative to it. */
export async function readKubeconfig(path: string, contextName?: string): Promise<ClusterAccess> {
  const config = await parsed(path)
  const wanted = contextName ?? text(config['current-context'])
  const context = named(config['contexts'], wanted, 'context', path)
  const cluster = named(config['clusters'], text(context['cluster']), 'cluster', path)
  const user =
    context['user'] === undefined ? {} : named(config['users'], text(context['user']), 'user', path)
  const server = text(cluster['server'])
  if (!server) throw new KeelsonError('INVALID_ARGUMENT', 'kubeconfig: the cluster has no server', { path })
  const read = (from: Members, key: string) => material(from, key, path)
  return {
    transport: {
      server,
      ca: await read(cluster, 'certificate-authority'),
      cert: await read(user, 'client-certificate'),
      key: await read(user, 'client-key'),
      token: text(user['token']),
      serverName: text(cluster['tls-server-name']),
    },
    namespace: text(context['namespace']) ?? 'default',
  }
}

type Members = Record<string, unknown>

async function parsed(path: string): Promise<Members> {
  try {
    const value: unknown = parse(await readFile(path, 'utf8'))
    if (isMembers(value)) return value
  } catch (error) {
    const ours = asKeelsonError(error, { op: 'read kubeconfig', path })
    if (ours.code !== 'INTERNAL') throw ours
  }
  throw new KeelsonError('INVALID_ARGUMENT', `${path} is not a kubeconfig`, { path })
}

/** The `context`, `cluster` or `user` of the entry with this name. */
function named(list: unknown, name: string | undefined, what: string, path: string): Members {
  const entries = Array.isArray(list) ? list.filter(isMembers) : []
  const entry = entries.find((one) => one['name'] === name)?.[what]
  if (isMembers(entry)) return entry
  throw new KeelsonError('INVALID_ARGUMENT', `kubeconfig: there is no ${what} "${name ?? ''}"`, { path })
}

/** `<key>-data` holds base64, `<key>` the name of a file. */
async function material(from: Members, key: string, path: string): Promise<string | undefined> {
  const data = text(from[`${key}-data`])
  if (data) return Buffer.from(data, 'base64').toString()
  const file = text(from[key])
  if (!file) return undefined
  const full = resolve(dirname(path), file)
  return readFile(full, 'utf8').catch((error) => {
    throw asKeelsonError(error, { op: `read ${key}`, path: full })
  })
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function base64(pem: string): string {
  return Buffer.from(pem).toString('base64')
}
