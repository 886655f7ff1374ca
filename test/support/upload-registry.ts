/** A registry that takes blobs and manifests, in memory, and may be told to break off, to forget or to lie. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { sha256 } from './archive.ts'

export interface UploadRegistry extends AsyncDisposable {
  readonly host: string
  readonly blobs: Map<string, Buffer>
  readonly manifests: Map<string, Buffer>
  /** `PATCH`, `PUT`, … in the order in which they came. */
  readonly heard: string[]
  /** Undefined goes on honestly. */
  meddle: (
    request: IncomingMessage,
    response: ServerResponse,
    session: Buffer[],
  ) => boolean | Promise<boolean>
}

export async function startUploadRegistry(): Promise<UploadRegistry> {
  const blobs = new Map<string, Buffer>()
  const manifests = new Map<string, Buffer>()
  const sessions = new Map<string, Buffer[]>()
  const heard: string[] = []
  const registry = { blobs, manifests, heard, meddle: () => false } as Omit<
    UploadRegistry,
    'host' | typeof Symbol.asyncDispose
  >

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { method = '', url: path = '' } = request
    const url = new URL(path, 'http://registry')
    const id = /\/uploads\/([^/]+)$/.exec(url.pathname)?.[1]
    heard.push(method)
    const session = id === undefined ? [] : (sessions.get(id) ?? [])
    if (await registry.meddle(request, response, session)) return
    const body = await buffer(request)
    const location = { location: `/v2/app/blobs/uploads/${id ?? sessions.size}` }
    const range = () => ({ range: `0-${Buffer.concat(session).length - 1}` })
    const digest = url.searchParams.get('digest') ?? ''
    if (method === 'HEAD')
      response.writeHead(blobs.has(url.pathname.split('/').at(-1) ?? '') ? 200 : 404).end()
    else if (method === 'POST') {
      sessions.set(String(sessions.size), [])
      response.writeHead(202, location).end()
    } else if (method === 'PATCH') {
      session.push(body)
      response.writeHead(202, { ...location, ...range() }).end()
    } else if (method === 'GET') response.writeHead(204, { ...location, ...range() }).end()
    else if (url.pathname.includes('/manifests/')) {
      manifests.set(url.pathname.split('/').at(-1) ?? '', body)
      response.writeHead(201, { 'docker-content-digest': sha256(body) }).end()
    } else {
      const whole = Buffer.concat([...session, body])
      blobs.set(sha256(whole), whole)
      response
        .writeHead(sha256(whole) === digest ? 201 : 400, { 'docker-content-digest': sha256(whole) })
        .end()
    }
  }
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const host = typeof address === 'object' && address ? `127.0.0.1:${address.port}` : ''
  return Object.assign(registry, {
    host,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  })
}
