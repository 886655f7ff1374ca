import { serveCri } from '../../cri/server.ts'
import type { ImageService, RuntimeService } from '../../cri/service.ts'
import { serveStreaming } from '../../cri/streaming/index.ts'
import { Cleanup, hasCode, KeelsonError } from '../base/index.ts'
import { openImageStore } from '../image/index.ts'
import { openNamespacePins } from '../kernel/index.ts'
import { openLedger } from '../ledger/index.ts'
import { createPodNetwork, type PodNetwork } from '../network/index.ts'
import { createRuntime } from '../oci/index.ts'
import { createPodService } from '../pod/index.ts'
import type { ProcessOptions } from './control-plane.ts'
import { serveBeside } from './oci/compile-service/start.ts'
import { pathsOf } from './paths.ts'
import { version } from './version.ts'

export interface PodStack extends AsyncDisposable {
  readonly runtime: RuntimeService
  readonly image: ImageService
  readonly network: PodNetwork
}

/**
 * Everything that pods are made with, as one resource: ledger, images, namespaces, network, OCI runtime, and the
 * pod service above them. Disposing it leaves pods running; the next one finds them again.
 */
export async function openPodStack({ config, clock, log, onStep }: ProcessOptions): Promise<PodStack> {
  const paths = pathsOf(config)
  const { instance, runDirectory } = config
  await using undo = new Cleanup()
  const ledger = await undo.use(openLedger({ path: paths.nodeLedger }))
  const images = await undo.use(
    openImageStore({
      dataDirectory: paths.images,
      mirrors: config.registries,
      clock,
      log: log.child({ part: 'image' }),
    }),
  )
  onStep('images')
  const pins = await undo.use(openNamespacePins({ runDirectory, log: log.child({ part: 'pins' }) }))
  const network = await undo.use(
    createPodNetwork({
      instance,
      podCidr: config.podCidr,
      runDirectory,
      ledger,
      dataDirectory: paths.network,
      log: log.child({ part: 'network' }),
    }),
  )
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
    serveStreaming({ onError: (error) => log.warn('stream failed', { error }) }),
  )
  const pods = await undo.use(
    createPodService({
      runtime,
      images,
      network,
      pins,
      ledger,
      cgroupInstance: instance,
      runDirectory,
      version,
      streaming,
      clock,
      log: log.child({ part: 'pod' }),
    }),
  )
  onStep('pods found')
  return Object.assign(undo.move(), { runtime: pods.runtime, image: pods.image, network })
}

/** The socket's own words, with what to do about it. */
export async function serveSocket(
  socketPath: string,
  { runtime, image }: Pick<PodStack, 'runtime' | 'image'>,
): Promise<AsyncDisposable> {
  try {
    return await serveCri({ socketPath, runtime, image })
  } catch (error) {
    if (!hasCode(error, 'ALREADY_EXISTS') || !(error instanceof Error)) throw error
    throw new KeelsonError('ALREADY_EXISTS', error.message, {
      path: socketPath,
      cause: error,
      hint: 'stop it, or choose another path with --cri-socket',
    })
  }
}

/** The pod stack behind a socket, for anybody who speaks CRI. */
export async function startCriEndpoint(options: ProcessOptions): Promise<AsyncDisposable> {
  await using undo = new Cleanup()
  const { runtime, image } = await undo.use(openPodStack(options))
  await undo.use(serveSocket(options.config.criSocket, { runtime, image }))
  options.onStep(`CRI on ${options.config.criSocket}`)
  await undo.use(serveBeside({ clock: options.clock, log: options.log.child({ part: 'oci' }) }))
  return undo.move()
}
