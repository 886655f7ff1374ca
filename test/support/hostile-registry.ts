/**
 * A registry of one image that answers as its script says: honestly, or with any lie. It listens on loopback and
 * needs no program.
 */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzip, sha256 } from './archive.ts'
import { ociTypes } from './registry.ts'

export interface Heard {
  method: string
  /** With its query. */
  url: URL
  headers: IncomingHttpHeaders
  what: 'manifest' | 'config' | 'layer' | 'other'
  /** How often this path was asked for before. */
  before: number
}

export interface Reply {
  status?: number
  headers?: Record<string, string>
  body?: Buffer | string | AsyncIterable<Buffer>
  /** The connection is cut after the body, whatever length was promised. */
  cut?: boolean
}

/** Undefined is never answered. `honest` is what a good registry would say, ranges included. */
export type Script = (heard: Heard, honest: () => Reply) => Reply | undefined | Promise<Reply | undefined>

export interface HostileRegistry extends AsyncDisposable {
  readonly host: string
  /** `127.0.0.1:PORT/app:1`. */
  readonly reference: string
  readonly heard: Heard[]
  readonly layers: readonly string[]
  readonly config: string
  script: Script
}

const behaves: Script = (_heard, honest) => honest()

export async function startHostileRegistry(
  layers: readonly Buffer[],
  script: Script = behaves,
  server: Server = createServer(),
): Promise<HostileRegistry> {
  const store = imageOf(layers)
  const registry = { script, heard: [] as Heard[] }
  server.on('request', (request, response) => {
    const url = new URL(request.url ?? '', 'http://registry')
    const before = registry.heard.filter((one) => one.url.pathname === url.pathname).length
    const { method = 'GET', headers } = request
    const heard = { method, url, headers, before, what: store.kindOf(url.pathname) }
    registry.heard.push(heard)
    request.resume()
    const answer = async () => {
      const reply = await registry.script(heard, () => store.answer(heard))
      if (reply) await send(reply, response)
    }
    answer().catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const host = typeof address === 'object' && address ? `127.0.0.1:${address.port}` : ''
  return Object.assign(registry, {
    host,
    reference: `${host}/app:1`,
    layers: store.layers,
    config: store.config,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  })
}

/** Never ends. */
export async function* endless(): AsyncIterable<Buffer> {
  for (;;) yield Buffer.alloc(65_536, ' ')
}

/** Nothing, and no end either. */
export async function* silence(): AsyncIterable<Buffer> {
  await new Promise(() => undefined)
}

/** A byte now and then. */
export async function* dripping(bytes: Buffer, everyMs: number): AsyncIterable<Buffer> {
  for (let at = 0; ; at = (at + 1) % bytes.length) {
    yield bytes.subarray(at, at + 1)
    await sleep(everyMs)
  }
}

async function send(
  { status = 200, headers = {}, body = '', cut = false }: Reply,
  response: ServerResponse,
): Promise<void> {
  const whole = typeof body === 'string' || Buffer.isBuffer(body)
  response.writeHead(status, {
    ...(whole && !cut && { 'content-length': Buffer.byteLength(body) }),
    ...headers,
  })
  response.flushHeaders()
  await pipeline(Readable.from(whole ? [Buffer.from(body)] : body, { objectMode: false }), response, {
    end: !cut,
  })
  if (!cut) return
  await sleep(20) // what was written is to arrive
  response.destroy()
}

function imageOf(layers: readonly Buffer[]) {
  const packed = layers.map((bytes) => gzip(bytes))
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: layers.map(sha256) },
    }),
  )
  const entry = (mediaType: string, bytes: Buffer) => ({
    mediaType,
    digest: sha256(bytes),
    size: bytes.length,
  })
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: ociTypes.manifest,
      config: entry(ociTypes.config, config),
      layers: packed.map((bytes) => entry(ociTypes.layer, bytes)),
    }),
  )
  const blobs = new Map([config, ...packed].map((bytes) => [sha256(bytes), bytes]))
  const kindOf = (path: string): Heard['what'] => {
    if (path.includes('/manifests/')) return 'manifest'
    if (path.endsWith(sha256(config))) return 'config'
    return path.includes('/blobs/') ? 'layer' : 'other'
  }
  return {
    kindOf,
    layers: packed.map(sha256),
    config: sha256(config),
    answer({ url, headers }: Heard): Reply {
      if (kindOf(url.pathname) === 'manifest')
        return { headers: { 'content-type': ociTypes.manifest }, body: manifest }
      const blob = blobs.get(url.pathname.split('/').at(-1) ?? '')
      return blob
        ? ranged(blob, headers.range)
        : { status: 404, body: '{"errors":[{"code":"BLOB_UNKNOWN"}]}' }
    },
  }
}

function ranged(bytes: Buffer, range: string | undefined): Reply {
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? Number.NaN)
  if (Number.isNaN(start)) return { body: bytes }
  const headers = { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }
  return { status: 206, headers, body: bytes.subarray(start) }
}
