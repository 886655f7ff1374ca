import { setMaxListeners } from 'node:events'
import type { Transport } from '../../api/index.ts'
import { Cleanup, type Clock, type Logger } from '../../base/index.ts'
import type { Pki } from '../pki/index.ts'
import type { Store } from '../store/index.ts'
import { bootstrap } from './bootstrap.ts'
import { openApiRoutes } from './discovery/openapi.ts'
import { apiVersion, discoveryRoutes } from './discovery/routes.ts'
import { healthRoutes } from './health.ts'
import { listen } from './http/listen.ts'
import { KubeletConnection } from './kubelet/connection.ts'
import { createLocalTransport } from './local-transport.ts'
import { Registry } from './registry/registry.ts'
import { Routes } from './routes.ts'
import { strategiesFor } from './strategies/index.ts'

export interface ApiServerOptions {
  store: Store
  pki: Pki
  /** Address to listen on. */
  address: string
  /** 0 takes a free one. */
  port: number
  /** Where pods and nodes reach the server; default the listen address. */
  advertiseAddress?: string
  serviceCidr: string
  clock: Clock
  log: Logger
}

export interface ApiServer extends AsyncDisposable {
  readonly address: string
  readonly port: number
  /** `https://ADDRESS:PORT` */
  readonly url: string
  /** The same API as a plain call, with a master's rights: for the scheduler and the controllers of this process. */
  localTransport(component?: string): Transport
}

/** Serves the API of the store's cluster. ALREADY_EXISTS when the port is taken. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { store, pki, address, clock, log, serviceCidr } = options
  await using undo = new Cleanup()
  const closing = new AbortController()
  setMaxListeners(0, closing.signal) // every open watch listens
  undo.defer(() => closing.abort())
  const registry = new Registry({ store, clock, log, strategies: strategiesFor({ serviceCidr }) })
  let ready = false
  const live = [{ name: 'ping', check: () => undefined }]
  const health = healthRoutes(live, [
    ...live,
    { name: 'poststarthook/bootstrap', check: () => (ready ? undefined : 'not finished') },
  ])
  const documents = [
    ...health,
    ...discoveryRoutes(`${address}:${options.port}`),
    ...openApiRoutes(apiVersion),
  ]
  const kubelets = await undo.use(
    new KubeletConnection({ identity: pki.kubeletClient, authority: pki.authority }),
  )
  const routes = new Routes(registry, new Map(documents), kubelets)
  const listener = await undo.use(
    listen({
      address,
      port: options.port,
      tls: pki.server,
      clientAuthority: pki.authority,
      handler: routes.handle,
      upgrade: (request, message, socket, head) => routes.handleUpgrade(request, { message, socket, head }),
      log,
    }),
  )
  const localTransport = (component = 'apiserver') =>
    createLocalTransport(
      routes.handle,
      { name: `system:${component}`, groups: ['system:masters', 'system:authenticated'] },
      closing.signal,
    )
  const { port } = listener
  const advertiseAddress = options.advertiseAddress ?? address
  const transport = localTransport()
  await undo.use(bootstrap({ store, clock, log, transport, serviceCidr, advertiseAddress, port }))
  ready = true
  const owned = undo.move()
  return {
    address,
    port,
    url: `https://${address.includes(':') ? `[${address}]` : address}:${port}`,
    localTransport,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  }
}
