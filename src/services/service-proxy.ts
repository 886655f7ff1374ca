import { EventEmitter, once } from 'node:events'
import {
  type ApiClient,
  type EndpointSlice,
  Informer,
  type KubernetesObject,
  resources,
  type Service,
} from '../api/index.ts'
import { asKeelsonError, type Clock, hasErrno, type Logger, WorkQueue } from '../base/index.ts'
import {
  changeNetwork,
  deleteRoute,
  forgetTranslatedFlows,
  inNamespace,
  type Nft,
  openNft,
  setRoute,
} from '../kernel/index.ts'
import { changesBetween, fullRuleset, removalRuleset } from './ruleset.ts'
import { type Endpoint, type ServicePortEntry, servicePorts } from './service-ports.ts'
import { type ServiceTable, serviceTable } from './service-table.ts'

export type ServiceProxyOptions = ProxyPlace & (OwnInformers | SharedInformers)

/** The proxy watches Services and EndpointSlices itself. */
interface OwnInformers {
  client: ApiClient
}

/** Started and stopped by whoever made them; others may share them. */
interface SharedInformers {
  services: Source<Service>
  slices: Source<EndpointSlice>
  /** Resolves when nothing of them runs any more. */
  stopped?: () => Promise<unknown>
}

interface ProxyPlace {
  instance: string
  /** `10.43.0.0/16` */
  serviceCidr: string
  /**
   * An address of the host that pods can answer to (the pod network's 10.42.0.1): what the host's own connections to
   * Services come from. Absent: the kernel chooses, which fails on a host without any other address.
   */
  hostAddress?: string
  runDirectory: string
  clock: Clock
  log: Logger
  /** Another network namespace to be the "host", with an `nft` that acts there. Default: that of the process. */
  host?: { namespaceFd: number; nft: Nft }
}

type Source<T extends KubernetesObject> = Pick<Informer<T>, 'list' | 'onChange' | 'synced'>

export interface ServiceProxy extends AsyncDisposable {
  /** Resolves when the kernel holds all Services that were known when both informers had synced. */
  readonly ready: Promise<void>
  /**
   * Resolves when new connections are led to none of these addresses, or only for want of any other endpoint: at once
   * for addresses that no Service has. Who stops a container after that refuses nobody.
   */
  released(addresses: readonly string[], signal: AbortSignal): Promise<void>
}

const loopbackIndex = 1
/** Of the route only: that of `lo` would tempt sockets into packets that no pod's link can take. */
const routeMtu = 1500
type Work = 'table'

/**
 * Keeps one nftables table equal to the cluster's Services. What was there stays in force until both informers have
 * synced, so that a restart interrupts nothing, and also when the proxy ends; `removeServiceTable` takes it away.
 * FAILED_PRECONDITION when nft is not installed.
 */
export async function startServiceProxy(options: ServiceProxyOptions): Promise<ServiceProxy> {
  const { serviceCidr, hostAddress, host, log, clock, runDirectory } = options
  const nft = host?.nft ?? (await openNft({ directory: runDirectory }))
  // On `lo`, where a packet that nobody translated would go no further. It only has to exist: without a route to the
  // range a host without default route refuses to connect before any rule is asked.
  const source = hostAddress === undefined ? {} : { source: hostAddress }
  const route = setRoute({ destination: serviceCidr, linkIndex: loopbackIndex, mtu: routeMtu, ...source })
  await changeNetwork(inNamespace(host?.namespaceFd, route))
  const stop = new AbortController()
  const sources: SharedInformers = 'client' in options ? watchSources(options, stop.signal) : options
  const table = new TableWriter(options, sources, nft)
  const queue = new WorkQueue<Work>({
    worker: () => table.write(),
    clock,
    concurrency: 1,
    onError: (_, error, attempt) =>
      log.error('the Services could not be written', { attempt, error: asKeelsonError(error) }),
  })
  const unfollow = follow(sources, queue)
  return {
    ready: table.ready,
    released: (addresses, signal) => table.released(addresses, signal),
    async [Symbol.asyncDispose]() {
      unfollow()
      stop.abort()
      await Promise.all([queue.close(), sources.stopped?.()])
    },
  }
}

/** Takes away what `startServiceProxy` put on the host. For `keelson down`; what is missing is no error. */
export async function removeServiceTable(
  options: Pick<ProxyPlace, 'instance' | 'serviceCidr' | 'runDirectory' | 'host'>,
): Promise<void> {
  const nft = options.host?.nft ?? (await openNft({ directory: options.runDirectory }))
  await nft.apply(removalRuleset(tableName(options.instance)))
  const route = deleteRoute({ destination: options.serviceCidr, linkIndex: loopbackIndex })
  await changeNetwork(inNamespace(options.host?.namespaceFd, route)).catch((error: unknown) => {
    if (!hasErrno(error, 'ESRCH')) throw error
  })
}

function watchSources(options: ProxyPlace & OwnInformers, signal: AbortSignal): SharedInformers {
  const { client, clock, log } = options
  const services = new Informer<Service>({ client, clock, log, type: resources.services })
  const slices = new Informer<EndpointSlice>({ client, clock, log, type: resources.endpointslices })
  services.start(signal)
  slices.start(signal)
  return { services, slices, stopped: () => Promise.all([services.stopped(), slices.stopped()]) }
}

/** Adds the work after changes, once both sources are complete. The returned function ends it. */
function follow({ services, slices }: SharedInformers, queue: WorkQueue<Work>): () => void {
  let planned: NodeJS.Immediate | undefined
  let ended = false
  // All changes that one turn of the event loop brings become one transaction.
  const plan = () => {
    planned ??= setImmediate(() => {
      planned = undefined
      queue.add('table')
    })
  }
  const stops: (() => void)[] = []
  void Promise.all([services.synced, slices.synced]).then(
    () => {
      if (ended) return
      stops.push(services.onChange(plan), slices.onChange(plan))
      plan()
    },
    () => undefined, // stopped before they had anything
  )
  return () => {
    ended = true
    for (const stop of stops) stop()
    clearImmediate(planned)
  }
}

class TableWriter {
  readonly ready: Promise<void>
  readonly #options: ProxyPlace
  readonly #sources: SharedInformers
  readonly #nft: Nft
  /** What the kernel holds; undefined when that is not known. */
  #written: ServiceTable | undefined
  #udpEndpoints = new Map<string, Endpoint>()
  #markReady = () => {}
  /** Where the kernel leads new connections: the addresses of endpoints that are not on their way out. */
  #live: ReadonlySet<string> = new Set()
  readonly #writes = new EventEmitter()

  constructor(options: ProxyPlace, sources: SharedInformers, nft: Nft) {
    this.#options = options
    this.#sources = sources
    this.#nft = nft
    this.#writes.setMaxListeners(0) // as many as pods end together
    this.ready = new Promise((resolve) => {
      this.#markReady = resolve
    })
  }

  async write(): Promise<void> {
    const { instance, serviceCidr } = this.#options
    const { services, slices } = this.#sources
    const table = tableName(instance)
    const entries = servicePorts(services.list(), slices.list())
    const wanted = serviceTable(entries)
    const live = liveAddresses(slices.list())
    const before = this.#written
    const text = before ? changesBetween(before, wanted, table) : fullRuleset(wanted, { table, serviceCidr })
    // Should nft refuse, the next attempt writes everything anew: somebody else may have changed our table.
    this.#written = undefined
    if (text !== '') await this.#nft.apply(text)
    this.#written = wanted
    this.#live = live
    this.#writes.emit('written')
    await this.#forgetFlows(udpEndpoints(entries))
    this.#markReady()
  }

  async released(addresses: readonly string[], signal: AbortSignal): Promise<void> {
    while (addresses.some((address) => this.#live.has(address)))
      await once(this.#writes, 'written', { signal })
  }

  /** After the rules: a flow forgotten before would be translated by the old ones again. */
  async #forgetFlows(endpoints: Map<string, Endpoint>): Promise<void> {
    const gone = [...this.#udpEndpoints].filter(([key]) => !endpoints.has(key))
    this.#udpEndpoints = endpoints
    for (const [, endpoint] of gone)
      await forgetTranslatedFlows({ protocol: 'udp', ...endpoint }, this.#options.host?.namespaceFd).catch(
        (error: unknown) =>
          this.#options.log.warn('flows to an endpoint that is gone stay until they end', {
            ...endpoint,
            error,
          }),
      )
  }
}

function liveAddresses(slices: readonly EndpointSlice[]): ReadonlySet<string> {
  const endpoints = slices.flatMap((slice) => slice.endpoints ?? [])
  const live = endpoints.filter(
    ({ conditions }) => (conditions?.ready ?? true) && !(conditions?.terminating ?? false),
  )
  return new Set(live.flatMap(({ addresses }) => addresses))
}

function udpEndpoints(entries: readonly ServicePortEntry[]): Map<string, Endpoint> {
  const udp = entries.filter(({ protocol }) => protocol === 'udp').flatMap(({ endpoints }) => endpoints)
  return new Map(udp.map((endpoint) => [`${endpoint.address} ${endpoint.port}`, endpoint]))
}

function tableName(instance: string): string {
  return `${instance}-services`
}
