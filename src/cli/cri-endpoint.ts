import type { ImageService, RuntimeService } from '../../cri/service.ts'
import { serveStreaming } from '../../cri/streaming/index.ts'
import { Cleanup } from '../base/index.ts'
import {
  dockerCredentials,
  type ImageStore,
  type Mirrors,
  openImageStore,
  serveDoor,
} from '../image/index.ts'
import { keepReady, type NamespacePins, openNamespacePins } from '../kernel/index.ts'
import { type Ledger, openJournaledLedger, openLedger } from '../ledger/index.ts'
import { createPodNetwork, type PodNetwork } from '../network/index.ts'
import { createRuntime } from '../oci/index.ts'
import { createPodService, usualNamespaces } from '../pod/index.ts'
import type { Around } from './around.ts'
import type { ProcessOptions } from './control-plane.ts'
import { criConfigWith } from './cri-config.ts'
import type { CriConfig } from './cri-settings.ts'
import { serveSocket } from './cri-socket.ts'
import { faultPoint } from './fault-point.ts'
import { instrumented } from './instrumented.ts'
import { Collector, stopwatch } from './metrics/collect.ts'
import { CriMetrics } from './metrics/cri-metrics.ts'
import { observeCalls } from './metrics/observe-calls.ts'
import { observePulls } from './metrics/observe-pulls.ts'
import { serveMetrics } from './metrics/serve.ts'
import { serveBeside } from './oci/compile-service/start.ts'
import { pathsOf } from './paths.ts'
import { QuietCollector } from './quiet-collector.ts'
import { readRegistries } from './registries.ts'
import { version } from './version.ts'

export interface PodStackOptions extends Omit<ProcessOptions<CriConfig>, 'signal'> {
  mirrors: Mirrors
  /** Put around every step that leaves something behind. */
  around?: Around | undefined
  /** Takes the image store's place for whoever pulls. */
  observed?: ((images: ImageStore) => ImageStore) | undefined
}

export interface PodStack extends AsyncDisposable {
  readonly runtime: RuntimeService
  readonly image: ImageService
  readonly network: PodNetwork
}

/**
 * Everything that pods are made with, as one resource: ledger, images, namespaces, network, OCI runtime, and the
 * pod service above them. Disposing it leaves pods running; the next one finds them again.
 */
export async function openPodStack(options: PodStackOptions): Promise<PodStack> {
  const { config, mirrors, around, clock, log, onStep } = options
  const paths = pathsOf(config)
  const { instance, runDirectory } = config
  const { credentials: credentialFile } = config.images
  await using undo = new Cleanup()
  const ledger = instrumented.ledger(await undo.use(openNodeLedger(options)), around)
  const images = await undo.use(
    openImageStore({
      dataDirectory: paths.images,
      mirrors,
      ...(credentialFile !== '' && {
        credentials: dockerCredentials({ files: [credentialFile], environment: process.env }),
      }),
      parallelLayers: config.images.parallelLayers,
      openLedger: async (where) => instrumented.ledger(await openLedger(where), around),
      clock,
      log: log.child({ part: 'image' }),
    }),
  )
  await undo.use(serveDoor(images, { dataDirectory: paths.images, clock, log: log.child({ part: 'image' }) }))
  onStep('images')
  const pins = await undo.use(openPins(options))
  const network = await undo.use(openNetwork(options, ledger, pins))
  onStep('pod network')
  const runtime = await undo.use(
    createRuntime({
      missingControllers: 'tell',
      stateRoot: paths.containers,
      instance,
      clock,
      log: log.child({ part: 'oci' }),
    }),
  )
  const streaming = await undo.use(
    serveStreaming({
      host: config.streaming.address,
      port: config.streaming.port,
      onError: (error) => log.warn('stream failed', { error }),
    }),
  )
  const pods = await undo.use(
    createPodService({
      runtime: instrumented.runtime(runtime, around),
      images: instrumented.images(options.observed?.(images) ?? images, around),
      network: instrumented.network(network, around),
      pins: instrumented.pins(pins, around),
      ledger,
      cgroupInstance: instance,
      runtimeHandlers: config.runtimeHandlers,
      runDirectory,
      version,
      streaming,
      containers: config.containers,
      clock,
      log: log.child({ part: 'pod' }),
    }),
  )
  onStep('pods found')
  return Object.assign(undo.move(), { runtime: pods.runtime, image: pods.image, network })
}

/** How many pods that come at once find their namespaces ready. */
const readyNamespaces = 8

async function openPins({ config: { runDirectory }, clock, log }: PodStackOptions): Promise<NamespacePins> {
  const parts = { clock, log: log.child({ part: 'pins' }) }
  const pins = await openNamespacePins({ runDirectory, ...parts })
  return keepReady(pins, { ...parts, template: usualNamespaces, count: readyNamespaces })
}

function openNetwork(
  { config: { instance, runDirectory, dataDirectory, network }, clock, log }: PodStackOptions,
  ledger: Ledger,
  pins: NamespacePins,
): Promise<PodNetwork> {
  const paths = pathsOf({ dataDirectory, runDirectory })
  return createPodNetwork({
    instance,
    podCidr: network.podCidrs.join(','),
    mode: network.mode,
    cni: {
      ...network.cni,
      cacheDir: network.cni.cacheDir || paths.cni,
      env: process.env,
      clock,
      namespacePath: (id) => pins.networkPath(id),
    },
    runDirectory,
    ledger,
    dataDirectory: paths.network,
    clock,
    log: log.child({ part: 'network' }),
  })
}

/** Its journal is gone after a reboot, as pods are. */
async function openNodeLedger({ config, clock, log }: PodStackOptions): Promise<Ledger> {
  const { nodeLedger, nodeJournal } = pathsOf(config)
  const ledger = await openLedger({ path: nodeLedger })
  return openJournaledLedger({ ledger, path: nodeJournal, clock, log: log.child({ part: 'ledger' }) })
}

/** The pod stack of a cluster's node: its settings, and the defaults of what only `keelson cri` can be told. */
export function openNodePodStack({ config, ...rest }: Omit<ProcessOptions, 'signal'>): Promise<PodStack> {
  const { instance, dataDirectory, runDirectory, podCidr, registries: mirrors } = config
  const settings = {
    instance,
    dataDirectory,
    runDirectory,
    network: { podCidrs: podCidr.split(','), mode: 'builtin' },
  }
  return openPodStack({ ...rest, mirrors, config: criConfigWith(settings) })
}

/** The pod stack behind a socket, for anybody who speaks CRI. */
export async function startCriEndpoint({ faultFile, ...options }: CriOptions): Promise<AsyncDisposable> {
  const { clock, log, config } = options
  await using undo = new Cleanup()
  const metrics = config.metrics.address === '' ? undefined : new CriMetrics()
  const mirrors = config.images.registries === '' ? {} : await readRegistries(config.images.registries)
  const around =
    faultFile === undefined ? metrics && stopwatch(metrics, clock.monotonicMs) : faultPoint(faultFile)
  const observed = metrics && ((images: ImageStore) => observePulls(images, metrics, clock))
  const pods = await undo.use(openPodStack({ ...options, mirrors, around, observed }))
  if (metrics) await undo.use(serveObserved(metrics, pods, options))
  const quiet = await undo.use(new QuietCollector(clock))
  const ended = (method: string) => quiet.ended(method)
  const observer = { clock, log: log.child({ part: 'cri' }), metrics, ended }
  const runtime = observeCalls(pods.runtime, observer)
  await undo.use(serveSocket(config.socket, { runtime, image: observeCalls(pods.image, observer) }))
  options.onStep(`CRI on ${config.socket.path}`)
  await undo.use(serveBeside({ clock, log: log.child({ part: 'oci' }) }))
  return undo.move()
}

interface CriOptions extends ProcessOptions<CriConfig> {
  /** For tests of restarts: where fault-point.ts reads at which step to die. */
  faultFile?: string | undefined
}

async function serveObserved(
  metrics: CriMetrics,
  pods: PodStack,
  { config, clock, onStep }: CriOptions,
): Promise<AsyncDisposable> {
  metrics.recoverySeconds.set({}, clock.monotonicMs() / 1000)
  await using undo = new Cleanup()
  const collector = await undo.use(new Collector(metrics, pods))
  await undo.use(serveMetrics(config.metrics.address, () => collector.text()))
  onStep(`metrics on ${config.metrics.address}`)
  return undo.move()
}
