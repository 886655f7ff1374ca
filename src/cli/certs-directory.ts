import { readdir, readFile } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { asKeelsonError, hasErrno, KeelsonError } from '../base/index.ts'
import type { Mirror, MirrorEndpoint } from '../image/index.ts'
import { parseToml, type TomlTable, type TomlValue } from './toml.ts'

/**
 * A directory of registries as containerd keeps it (its docs/hosts.md): `docker.io/hosts.toml`, `_default/hosts.toml`,
 * a port as `host:5000` or `host_5000_`; without hosts.toml the `*.crt`, `*.cert` and `*.key` of docker's certs.d.
 * INVALID_ARGUMENT names the file and what is wrong in it.
 */
export async function readCertsDirectory(directory: string): Promise<Record<string, Mirror>> {
  const mirrors: Record<string, Mirror> = {}
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (!entry.isDirectory() && !entry.isSymbolicLink()) continue
    const host = entry.name === '_default' ? '*' : entry.name.replace(/_(\d+)_$/, ':$1')
    const mirror = await readHost(join(directory, entry.name), host)
    if (mirror) mirrors[host] = mirror
  }
  return mirrors
}

async function readHost(directory: string, host: string): Promise<Mirror | undefined> {
  const path = join(directory, 'hosts.toml')
  const text = await readFile(path, 'utf8').catch((error) => {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw asKeelsonError(error, { op: 'read registries', path })
  })
  if (text === undefined) return await readCertificates(directory)
  try {
    return fromHosts(parseToml(text), directory, host)
  } catch (cause) {
    const { message } = asKeelsonError(cause)
    throw new KeelsonError('INVALID_ARGUMENT', `${path}: ${message}`, { path, cause })
  }
}

/** Top-level settings are of the server itself; each table below `host` is a mirror, asked in the order of the file. */
function fromHosts(document: TomlTable, directory: string, host: string): Mirror {
  const hosts = document.get('host') ?? new Map()
  if (!(hosts instanceof Map)) throw wrong('host', 'a table')
  const endpoints = [...hosts].map(([url, settings]) => {
    if (!(settings instanceof Map)) throw wrong(`host."${url}"`, 'a table')
    return fromTable(url, settings, directory)
  })
  const named = text(document, 'server')
  const own = new Map([...document].filter(([key]) => key !== 'host' && key !== 'server'))
  if (named === undefined && own.size === 0) return { endpoints }
  if (named === undefined && host === '*') throw wrong('_default', 'a server beside settings of one')
  const itself = host === 'docker.io' ? 'registry-1.docker.io' : host
  return { endpoints, server: fromTable(named ?? `https://${itself}`, own, directory) }
}

/** containerd puts /v2 after an address's path, so the whole path is known here. */
function fromTable(url: string, settings: TomlTable, directory: string): MirrorEndpoint {
  if (settings.has('proxy')) throw wrong('proxy', 'none: registries are reached directly, so no proxy')
  const withScheme = url.includes('://') ? url : `https://${url}`
  const trimmed = withScheme.replace(/\/+$/, '')
  const isWhole = flag(settings, 'override_path') || trimmed.endsWith('/v2')
  const capabilities = texts(settings, 'capabilities')
  const caFile = files(settings.get('ca'), 'ca', directory)
  return {
    url: isWhole ? trimmed : `${trimmed}/v2`,
    overridePath: true,
    capabilities: (capabilities ?? ['pull', 'resolve', 'push']) as NonNullable<
      MirrorEndpoint['capabilities']
    >,
    ...(caFile && { caFile }),
    ...clientCertificate(settings.get('client'), directory),
    ...(flag(settings, 'skip_verify') && { skipVerify: true }),
    ...headersOf(settings.get('header')),
  }
}

/**
 * `"both.pem"`, `["both.pem"]`, `[["cert.pem", "key.pem"]]` or `[["both.pem", ""]]`. A list of texts is of files that
 * hold both each; of several we could only show one, so they are refused.
 */
function clientCertificate(value: TomlValue | undefined, directory: string): Partial<MirrorEndpoint> {
  if (value === undefined) return {}
  const [first, ...others] = Array.isArray(value) ? value : [value]
  const pair = asTexts(first, 'client') ?? []
  if (others.length > 0 || pair.length > 2)
    throw wrong('client', 'one certificate, with its key or beside it')
  const [certificate = '', key = ''] = pair
  if (certificate === '') throw wrong('client', 'the file of a certificate')
  const whole = (path: string) => (isAbsolute(path) ? path : join(directory, path))
  return { clientCertFile: whole(certificate), clientKeyFile: whole(key === '' ? certificate : key) }
}

function headersOf(value: TomlValue | undefined): Partial<MirrorEndpoint> {
  if (value === undefined) return {}
  if (!(value instanceof Map)) throw wrong('header', 'a table')
  const headers = [...value.keys()].map((name) => [name, texts(value, name)?.join(', ') ?? ''])
  return { headers: Object.fromEntries(headers) }
}

/** Without hosts.toml: authorities and client certificates lie beside each other, told apart by their endings. */
async function readCertificates(directory: string): Promise<Mirror | undefined> {
  const names = (await readdir(directory).catch(() => [])).sort()
  const caFile = names.filter((name) => name.endsWith('.crt')).map((name) => join(directory, name))
  const certificate = names.find(
    (name) => name.endsWith('.cert') && names.includes(name.replace(/cert$/, 'key')),
  )
  if (caFile.length === 0 && certificate === undefined) return undefined
  return {
    endpoints: [],
    ...(caFile.length > 0 && { caFile }),
    ...(certificate !== undefined && {
      clientCertFile: join(directory, certificate),
      clientKeyFile: join(directory, certificate.replace(/cert$/, 'key')),
    }),
  }
}

function text(table: TomlTable, key: string): string | undefined {
  const value = table.get(key)
  if (value === undefined || typeof value === 'string') return value
  throw wrong(key, 'a text')
}

function flag(table: TomlTable, key: string): boolean {
  const value = table.get(key) ?? false
  if (typeof value === 'boolean') return value
  throw wrong(key, 'true or false')
}

function texts(table: TomlTable, key: string): string[] | undefined {
  return asTexts(table.get(key), key)
}

function asTexts(value: TomlValue | undefined, key: string): string[] | undefined {
  if (value === undefined) return undefined
  const list = Array.isArray(value) ? value : [value]
  if (list.every((one) => typeof one === 'string')) return list
  throw wrong(key, 'a text or a list of texts')
}

/** Relative to the directory of the file. */
function files(value: TomlValue | undefined, key: string, directory: string): string[] | undefined {
  return asTexts(value, key)?.map((path) => (isAbsolute(path) ? path : join(directory, path)))
}

function wrong(key: string, expected: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', `${key}: ${expected} is expected`)
}
