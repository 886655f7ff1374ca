import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { eventually } from './eventually.ts'
import type { OwnNetwork } from './own-network.ts'
import { findPeer } from './peers.ts'

/** Debian's docker-registry on loopback with its own directory and configuration. */
export interface Registry extends AsyncDisposable {
  /** `127.0.0.1:PORT`: the host part of an image name. */
  readonly host: string
  readonly url: string
  /** Its files, for another registry process that serves the same. */
  readonly storage: string
  /** Puts a blob into a repository by plain HTTP; answers its descriptor without media type. */
  pushBlob(repository: string, bytes: Buffer): Promise<{ digest: string; size: number }>
  /** Puts a manifest or index under a tag or digest; answers its digest. */
  pushManifest(repository: string, tag: string, mediaType: string, document: unknown): Promise<string>
  /** Builds and pushes an image from these layer archives. */
  pushImage(repository: string, tag: string, image: TestImage): Promise<PushedImage>
  /** All that was pushed, for another registry to serve. */
  readonly dataDirectory: string
  /** Where the registry keeps a blob, for tests that damage one. */
  blobPath(digest: string): string
  dispose(): Promise<void>
}

export interface TestImage {
  /** Uncompressed tars, bottom first. */
  layers: readonly Buffer[]
  config?: Record<string, unknown>
  /** `docker` media types instead of OCI's. */
  docker?: boolean
  compress?: (bytes: Buffer) => Buffer
  architecture?: string
}

export interface PushedImage {
  /** `127.0.0.1:PORT/repository:tag`. */
  reference: string
  manifestDigest: string
  manifestSize: number
  configDigest: string
  layerDigests: string[]
}

/** TLS with this certificate, and one user: `me`, whose password is `secret`. */
export interface Guard {
  key: string
  cert: string
}

/** Undefined where docker-registry is absent; the caller must then skip its test and say so. */
export const registryProgram = (): string | undefined => findPeer('docker-registry')

/** With `network` it listens on the loopback of that namespace; the test reaches it through a bridge. */
export async function startRegistry(
  options: { program?: string; network?: OwnNetwork; guard?: Guard } = {},
): Promise<Registry> {
  const program = options.program ?? registryProgram()
  if (!program) throw new Error('docker-registry is not installed')
  const directory = await mkdtemp(join(tmpdir(), 'keelson-registry-'))
  const port = await freePort()
  const config = join(directory, 'config.yml')
  const settings = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(directory, 'data') }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}`, secret: 'test', ...(await guarded(directory, options.guard)) },
    ...(options.guard && { auth: { htpasswd: { realm: 'test', path: join(directory, 'htpasswd') } } }),
  }
  await writeFile(config, JSON.stringify(settings)) // JSON is YAML
  const [command, args] = options.network?.enter(program, 'serve', config) ?? [program, ['serve', config]]
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const reachable = (await options.network?.bridge(port)) ?? port
  const registry = new LoopbackRegistry(
    `127.0.0.1:${port}`,
    `${options.guard ? 'https' : 'http'}://127.0.0.1:${reachable}`,
    directory,
    child,
  )
  if (options.guard) await listens(port)
  else await registry.ready()
  return registry
}

async function guarded(directory: string, guard: Guard | undefined): Promise<object> {
  if (!guard) return {}
  const [certificate, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
  await writeFile(certificate, guard.cert)
  await writeFile(key, guard.key)
  // bcrypt, which docker-registry insists on and Node does not have.
  await writeFile(
    join(directory, 'htpasswd'),
    'me:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n',
  )
  return { tls: { certificate, key } }
}

async function listens(port: number): Promise<void> {
  await eventually('docker-registry listens', () => {
    const socket = connect(port, '127.0.0.1')
    return once(socket, 'connect').then(
      () => socket.destroy() !== undefined,
      () => false,
    )
  })
}

class LoopbackRegistry implements Registry {
  readonly host: string
  readonly url: string
  readonly #directory: string
  readonly #child: ChildProcess
  #errors = ''

  constructor(host: string, url: string, directory: string, child: ChildProcess) {
    this.host = host
    this.url = url
    this.#directory = directory
    this.#child = child
    child.stderr?.on('data', (text) => {
      this.#errors = `${this.#errors}${text}`.slice(-2000)
    })
  }

  get storage(): string {
    return join(this.#directory, 'data')
  }

  async ready(): Promise<void> {
    for (let i = 0; i < 200; i++) {
      if (this.#child.exitCode !== null) break
      const answer = await fetch(`${this.url}/v2/`, { signal: AbortSignal.timeout(2000) }).catch(
        () => undefined,
      )
      if (answer?.ok) return
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    await this.dispose()
    throw new Error(`docker-registry did not start: ${this.#errors}`)
  }

  async pushBlob(repository: string, bytes: Buffer): Promise<{ digest: string; size: number }> {
    const digest = sha256(bytes)
    const started = await fetch(`${this.url}/v2/${repository}/blobs/uploads/`, { method: 'POST' })
    const location = new URL(started.headers.get('location') ?? '', this.url)
    location.searchParams.set('digest', digest)
    const done = await fetch(location, {
      method: 'PUT',
      body: new Uint8Array(bytes),
      headers: { 'content-type': 'application/octet-stream' },
    })
    if (done.status !== 201) throw new Error(`push of a blob: ${done.status} ${await done.text()}`)
    return { digest, size: bytes.length }
  }

  async pushManifest(repository: string, tag: string, mediaType: string, document: unknown): Promise<string> {
    const body = JSON.stringify(document)
    const done = await fetch(`${this.url}/v2/${repository}/manifests/${tag}`, {
      method: 'PUT',
      body,
      headers: { 'content-type': mediaType },
    })
    if (done.status !== 201) throw new Error(`push of a manifest: ${done.status} ${await done.text()}`)
    return sha256(Buffer.from(body))
  }

  async pushImage(repository: string, tag: string, image: TestImage): Promise<PushedImage> {
    const compress = image.compress ?? ((bytes) => bytes)
    const config = Buffer.from(
      JSON.stringify({
        architecture: image.architecture ?? (process.arch === 'arm64' ? 'arm64' : 'amd64'),
        os: 'linux',
        config: image.config ?? {},
        rootfs: { type: 'layers', diff_ids: image.layers.map(sha256) },
      }),
    )
    const types = image.docker ? dockerTypes : ociTypes
    const layers = []
    for (const layer of image.layers)
      layers.push({ mediaType: types.layer, ...(await this.pushBlob(repository, compress(layer))) })
    const manifest = {
      schemaVersion: 2,
      mediaType: types.manifest,
      config: { mediaType: types.config, ...(await this.pushBlob(repository, config)) },
      layers,
    }
    return {
      reference: `${this.host}/${repository}:${tag}`,
      manifestDigest: await this.pushManifest(repository, tag, types.manifest, manifest),
      manifestSize: Buffer.byteLength(JSON.stringify(manifest)),
      configDigest: sha256(config),
      layerDigests: layers.map(({ digest }) => digest),
    }
  }

  get dataDirectory(): string {
    return join(this.#directory, 'data')
  }

  blobPath(digest: string): string {
    const hex = digest.slice('sha256:'.length)
    return join(this.dataDirectory, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data')
  }

  async dispose(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL')
      await once(this.#child, 'exit')
    }
    await rm(this.#directory, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }
}

/** Copies an image with skopeo: `skopeo('oci:DIR:tag', 'docker://127.0.0.1:PORT/name:tag')`. */
export async function skopeo(from: string, to: string): Promise<void> {
  const insecure = [
    '--insecure-policy',
    'copy',
    '--src-tls-verify=false',
    '--dest-tls-verify=false',
    '--quiet',
  ]
  await promisify(execFile)('skopeo', [...insecure, from, to])
}

export const ociTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
}
export const dockerTypes = {
  manifest: 'application/vnd.docker.distribution.manifest.v2+json',
  index: 'application/vnd.docker.distribution.manifest.list.v2+json',
  config: 'application/vnd.docker.container.image.v1+json',
  layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
