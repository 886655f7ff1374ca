import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ApiClient, EventRecorder, formatKubeconfig, referenceTo, resources } from '../api/index.ts'
import { Cleanup, type Clock, type Logger, writeAtomic } from '../base/index.ts'
import { startApiServer } from '../control/apiserver/index.ts'
import { startControllers } from '../control/controllers/index.ts'
import { ensurePki, type Pki } from '../control/pki/index.ts'
import { Scheduler } from '../control/scheduler/index.ts'
import { openStore } from '../control/store/index.ts'
import { nodeAddress } from '../network/index.ts'
import type { Config } from './config.ts'
import { pathsOf } from './paths.ts'

export interface ProcessOptions<Settings = Config> {
  config: Settings
  clock: Clock
  log: Logger
  signal: AbortSignal
  /** Told of each stage of the start. */
  onStep: (step: string) => void
}

/**
 * A control plane: store, API server, scheduler and controllers in one process. The last two reach the API without
 * a socket, but through the same requests as everybody. Resolves when all of it works; disposing stops it.
 */
export async function startControlPlane(options: ProcessOptions): Promise<AsyncDisposable> {
  const { config, clock, log, signal, onStep } = options
  const paths = pathsOf(config)
  await using undo = new Cleanup()
  const store = await undo.use(openStore({ path: paths.store, clock, log: log.child({ part: 'store' }) }))
  onStep('store')
  const pki = await ensurePki({
    directory: paths.pki,
    hosts: hostsOf(config),
    serviceCidr: config.serviceCidr,
    clock,
  })
  await writeAccess(config, pki)
  onStep('certificates')
  const api = await undo.use(
    startApiServer({
      store,
      pki,
      address: config.address,
      port: config.port,
      advertiseAddress: nodeAddress(config.podCidr),
      serviceCidr: config.serviceCidr,
      clock,
      log: log.child({ part: 'apiserver' }),
    }),
  )
  onStep('API server')
  const client = new ApiClient(api.localTransport())
  await undo.use(startScheduler(client, options))
  await undo.use(startControllers({ client, clock, log: log.child({ part: 'controllers' }), signal }))
  onStep('scheduler and controllers')
  return undo.move()
}

async function startScheduler(
  client: ApiClient,
  { clock, log, signal }: ProcessOptions,
): Promise<AsyncDisposable> {
  const events = new EventRecorder({ client, clock, log, component: 'default-scheduler' })
  const scheduler = new Scheduler({
    client,
    clock,
    log: log.child({ part: 'scheduler' }),
    signal,
    record: (pod, { type, reason, message }) =>
      events.record(
        referenceTo({ ...pod, apiVersion: 'v1', kind: resources.pods.kind }),
        type,
        reason,
        message,
      ),
  })
  await scheduler.start()
  return {
    async [Symbol.asyncDispose]() {
      await scheduler[Symbol.asyncDispose]()
      await events.close()
    },
  }
}

/** The kubeconfigs: one for people, one for the node of this machine. Both hold keys, so both are 0600. */
async function writeAccess(config: Config, pki: Pki): Promise<void> {
  const { adminKubeconfig, nodeKubeconfig } = pathsOf(config)
  const server = serverUrl(config)
  const node = await pki.kubelet(config.nodeName, [config.nodeName, ...hostsOf(config)])
  const access = { name: config.instance, server, ca: pki.authority }
  await mkdir(dirname(nodeKubeconfig), { recursive: true, mode: 0o700 })
  await writeAtomic(
    adminKubeconfig,
    formatKubeconfig({ ...access, cert: pki.admin.certificate, key: pki.admin.key }),
  )
  await writeAtomic(nodeKubeconfig, formatKubeconfig({ ...access, cert: node.certificate, key: node.key }))
}

/** Where clients on this machine reach the API server. */
export function serverUrl({ address, port }: Pick<Config, 'address' | 'port'>): string {
  return `https://${isAny(address) ? '127.0.0.1' : address.includes(':') ? `[${address}]` : address}:${port}`
}

/** Addresses that certificates must name; pods reach the host by the first address of their range. */
function hostsOf({ address, podCidr }: Config): string[] {
  return ['127.0.0.1', nodeAddress(podCidr), ...(isAny(address) ? [] : [address])]
}

const isAny = (address: string) => address === '0.0.0.0' || address === '::'
