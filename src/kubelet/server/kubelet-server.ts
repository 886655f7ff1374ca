import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { RuntimeService } from '../../../cri/service.ts'
import { proxyUpgrade } from '../../../cri/streaming/index.ts'
import type { Pod } from '../../api/index.ts'
import {
  asKeelsonError,
  type Clock,
  type ErrorCode,
  KeelsonError,
  type Logger,
  listenFailure,
} from '../../base/index.ts'
import { containerLogPath } from '../container-config.ts'
import type { PodChanges } from '../pod-changes.ts'
import { identityOf } from '../pod-identity.ts'
import { isRunning } from '../pod-runtime.ts'
import { podLogDirectory } from '../sandbox-config.ts'
import { authorize, callerOf } from './caller.ts'
import { parseLogQuery } from './log-options.ts'
import { type LogSource, readLog } from './log-reader.ts'
import { findPod, loggedRun, type PodTarget, type TargetSources } from './pod-target.ts'
import { decodedPath, streamingUrl } from './streaming-url.ts'

/** PEM texts. */
export interface ServerTls {
  certificate: string
  key: string
  /** Client certificates must be of this authority. */
  clientCa: string
}

export interface KubeletServerOptions extends TargetSources {
  runtime: RuntimeService
  /** 0 takes a free port. */
  port: number
  address?: string | undefined
  tls: ServerTls
  /** Users that may call beside members of system:masters. */
  allowedUsers: readonly string[]
  logsDirectory: string
  changes: PodChanges
  pods(): Pod[]
  clock: Clock
  log: Logger
}

const statusByCode: Partial<Record<ErrorCode, number>> = {
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  RESOURCE_EXHAUSTED: 429,
  UNIMPLEMENTED: 501,
  UNAVAILABLE: 503,
}

/** The kubelet's HTTPS API (port 10250): health, pods, logs, and streams passed on to the runtime. */
export class KubeletServer implements AsyncDisposable {
  readonly #options: KubeletServerOptions
  readonly #server: Server
  readonly #stop = new AbortController()

  private constructor(options: KubeletServerOptions) {
    this.#options = options
    const { tls } = options
    // A certificate that is missing or foreign is answered with 401, not with a broken handshake.
    this.#server = createServer(
      { cert: tls.certificate, key: tls.key, ca: tls.clientCa, requestCert: true, rejectUnauthorized: false },
      (request, response) => void this.#respond(request, response),
    )
    this.#server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head))
    this.#server.on('tlsClientError', (error) => options.log.debug('TLS client failed', { error }))
  }

  /** Listens; rejects with ALREADY_EXISTS when the port is taken. */
  static async start(options: KubeletServerOptions): Promise<KubeletServer> {
    const server = new KubeletServer(options)
    try {
      server.#server.listen({ port: options.port, host: options.address })
      await once(server.#server, 'listening')
    } catch (error) {
      throw listenFailure(error, {
        address: options.address ?? '::',
        port: options.port,
        purpose: 'the kubelet',
      })
    }
    return server
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      this.#admit(request)
      await this.#route(new URL(request.url ?? '/', 'https://kubelet'), request, response)
    } catch (error) {
      const { code, message } = asKeelsonError(error)
      if (response.headersSent) return void response.destroy()
      response.writeHead(statusByCode[code] ?? 500, { 'content-type': 'text/plain; charset=utf-8' })
      response.end(message)
    }
  }

  #admit(request: IncomingMessage): void {
    authorize(callerOf(request.socket as TLSSocket), this.#options.allowedUsers)
  }

  async #route(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [verb = '', ...path] = decodedPath(url)
    if (/^(exec|attach|portForward)$/.test(verb))
      throw new KeelsonError('INVALID_ARGUMENT', 'Upgrade request required')
    if (request.method !== 'GET')
      throw new KeelsonError('NOT_FOUND', `no such path: ${request.method} ${url.pathname}`)
    if (verb === 'healthz') return void response.end('ok')
    if (verb === 'pods') return this.#pods(response)
    if (verb === 'containerLogs' && path.length === 3) return this.#logs(url, path, response)
    throw new KeelsonError('NOT_FOUND', `no such path: ${url.pathname}`)
  }

  #pods(response: ServerResponse): void {
    const list = { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: this.#options.pods() }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(list))
  }

  async #logs(url: URL, path: string[], response: ServerResponse): Promise<void> {
    const [namespace = '', name = '', container = ''] = path
    const query = parseLogQuery(url.searchParams, this.#options.clock.nowMs())
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    const signal = AbortSignal.any([gone.signal, this.#stop.signal])
    const target = await findPod(this.#options, { namespace, name }, { signal })
    const source = this.#logSource(target, container, query.previous)
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' })
    if (query.follow) response.flushHeaders()
    for await (const text of readLog(source, query, signal))
      if (!response.write(text)) await once(response, 'drain', { signal })
    response.end()
  }

  #logSource(target: PodTarget, container: string, previous: boolean): LogSource {
    const { logsDirectory, reader, changes } = this.#options
    const identity = identityOf(target.pod)
    const run = loggedRun(target, container, previous)
    return {
      path: join(podLogDirectory(logsDirectory, identity), containerLogPath(container, run.attempt)),
      isRunning: async () => {
        const { containers } = await reader.read(identity.uid, { signal: this.#stop.signal })
        return containers.some((one) => one.id === run.id && isRunning(one))
      },
      onChange: (callback) => changes.subscribe(identity.uid, callback),
    }
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { runtime, log } = this.#options
    socket.on('error', () => undefined) // a client may leave while we still ask
    try {
      this.#admit(request)
      const url = new URL(request.url ?? '/', 'https://kubelet')
      const target = await streamingUrl(url, runtime, this.#options, { signal: this.#stop.signal })
      await proxyUpgrade({
        request,
        socket,
        head,
        target,
        signal: this.#stop.signal,
        onError: (error) => log.debug('stream ended', { path: url.pathname, error }),
      })
    } catch (error) {
      const { code, message } = asKeelsonError(error)
      const status = statusByCode[code] ?? 500
      const body = Buffer.from(message)
      socket.end(
        `HTTP/1.1 ${status} Refused\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${message}`,
      )
    }
  }
}
