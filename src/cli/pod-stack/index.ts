import type { ImageService, RuntimeService } from '../../../cri/service.ts'
import { Cleanup } from '../../base/index.ts'
import type { PodNetwork } from '../../network/index.ts'
import { instrumented } from '../instrumented.ts'
import { keepRoom, openDoor, openImages } from './images.ts'
import { openNodeLedger } from './ledger.ts'
import { openNetwork, openPins } from './network.ts'
import type { PodStackOptions } from './options.ts'
import { openPods } from './pods.ts'
import { openRuntime, openSlices } from './runtime.ts'
import { openStreaming } from './streaming.ts'

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
  const { around, onStep } = options
  await using undo = new Cleanup()
  const ledger = instrumented.ledger(await undo.use(openNodeLedger(options)), around)
  const images = await undo.use(openImages(options))
  await undo.use(openDoor(images, options))
  await undo.use(keepRoom(images, options))
  onStep('images')
  const pins = await undo.use(openPins(options))
  const network = await undo.use(openNetwork(options, ledger, pins))
  onStep('pod network')
  const runtime = await undo.use(openRuntime(options))
  const slices = await openSlices(options)
  const streaming = await undo.use(openStreaming(options))
  const pods = await undo.use(
    openPods({ runtime, images, network, pins, ledger, streaming, slices }, options),
  )
  onStep('pods found')
  return Object.assign(undo.move(), { runtime: pods.runtime, image: pods.image, network })
}
