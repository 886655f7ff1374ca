import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { asKeelsonError, hasErrno, KeelsonError } from '../../base/index.ts'
import type { Credentials, RegistryAuth } from '../image-store.ts'
import { askCredentialHelper } from './credential-helper.ts'

export interface DockerConfigOptions {
  /** Files in Docker's or Podman's form; the first that knows a registry counts, absent ones are passed over. */
  files: readonly string[]
  /** For credential helpers. */
  environment: Readonly<Record<string, string | undefined>>
  /** How long a helper may take. */
  helperTimeoutMs?: number
}

interface DockerConfig {
  auths: Record<string, Record<string, unknown>>
  credHelpers: ReadonlyMap<string, string>
  credsStore: string | undefined
}

const defaultHelperMs = 30_000

/**
 * Credentials as `docker login` and `podman login` keep them: `auths` by registry or by a part of its repositories,
 * `credHelpers` by registry, `credsStore` for every other. Files and helpers are asked anew each time, so a login
 * counts at once. FAILED_PRECONDITION for a file that cannot be read and a helper that fails.
 */
export function dockerCredentials(options: DockerConfigOptions): Credentials {
  return async (host, repository) => {
    for (const path of options.files) {
      const config = await readConfig(path)
      const found = config && (await lookUp(config, host, repository, options))
      if (found) return found
    }
    return undefined
  }
}

/** Where `podman login` and `docker login` leave what they are told, for the user with this environment. */
export function credentialFiles(environment: DockerConfigOptions['environment'], home: string): string[] {
  const { REGISTRY_AUTH_FILE: named, XDG_RUNTIME_DIR: runtime, DOCKER_CONFIG: docker } = environment
  if (named) return [named]
  const podman = runtime ? [join(runtime, 'containers/auth.json')] : []
  return [...podman, join(docker || join(home, '.docker'), 'config.json')]
}

async function lookUp(
  { auths, credHelpers, credsStore }: DockerConfig,
  host: string,
  repository: string,
  { environment, helperTimeoutMs = defaultHelperMs }: DockerConfigOptions,
): Promise<RegistryAuth | undefined> {
  const helper = credHelpers.get(host) ?? (host === 'docker.io' ? credHelpers.get(dockerHub) : undefined)
  const ask = (name: string) =>
    askCredentialHelper({ name, server: serverOf(host), environment, timeoutMs: helperTimeoutMs })
  if (helper !== undefined) return await ask(helper)
  const fromStore = credsStore === undefined ? undefined : await ask(credsStore)
  if (fromStore) return fromStore
  const entries = new Map(Object.entries(auths).map(([key, entry]) => [withoutScheme(key), entry]))
  for (const key of keysFor(host, repository)) {
    const auth = readEntry(entries.get(key) ?? {})
    if (auth) return auth
  }
  return undefined
}

const dockerHub = 'https://index.docker.io/v1/'

/** How helpers know a registry: Docker Hub by its old address. */
function serverOf(host: string): string {
  return host === 'docker.io' ? dockerHub : host
}

/** From the narrowest: `quay.io/team/app`, `quay.io/team`, `quay.io`. */
function keysFor(host: string, repository: string): string[] {
  const parts = repository.split('/')
  const nested = parts.map((_, at) => [host, ...parts.slice(0, parts.length - at)].join('/'))
  const hub = host === 'docker.io' ? ['index.docker.io', 'registry-1.docker.io'] : []
  return [...nested, host, ...hub]
}

/** `https://index.docker.io/v1/` → `index.docker.io`; repositories stay. */
function withoutScheme(key: string): string {
  return key
    .replace(/^https?:\/\//, '')
    .replace(/\/v[12]\/?$/, '')
    .replace(/\/$/, '')
}

function readEntry(entry: Record<string, unknown>): RegistryAuth | undefined {
  const {
    auth,
    username,
    password,
    identitytoken: identityToken,
    registrytoken: registryToken,
  } = texts(entry)
  const decoded = auth === undefined ? undefined : decodeBasic(auth)
  const found = {
    ...(decoded ?? (username !== undefined && { username, password: password ?? '' })),
    ...(identityToken && { identityToken }),
    ...(registryToken && { registryToken }),
  }
  return Object.keys(found).length > 0 ? found : undefined
}

/** `user:password` in base64; a password may hold colons, and Docker once ended it with zeros. */
export function decodeBasic(auth: string): { username: string; password: string } | undefined {
  const text = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '')
  const colon = text.indexOf(':')
  return colon < 0 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) }
}

async function readConfig(path: string): Promise<DockerConfig | undefined> {
  const text = await readFile(path, 'utf8').catch((error) => {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw asKeelsonError(error, { op: 'read registry credentials', path })
  })
  if (text === undefined || text.trim() === '') return undefined
  try {
    const { auths, credHelpers, credsStore } = JSON.parse(text)
    return {
      auths: objects(auths),
      credHelpers: new Map(Object.entries(texts(credHelpers))),
      credsStore: typeof credsStore === 'string' && credsStore !== '' ? credsStore : undefined,
    }
  } catch (cause) {
    throw new KeelsonError('FAILED_PRECONDITION', `${path} is not a file of registry credentials`, {
      path,
      cause,
      hint: 'log in again, or remove the file',
    })
  }
}

function objects(value: unknown): Record<string, Record<string, unknown>> {
  const entries = Object.entries(value ?? {}).filter(([, one]) => typeof one === 'object' && one !== null)
  return Object.fromEntries(entries)
}

function texts(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(value ?? {}).filter(([, one]) => typeof one === 'string'))
}
