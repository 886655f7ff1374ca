import type { StreamingUrls } from '../../../cri/service.ts'
import type { ImageStore } from '../../image/index.ts'
import type { NamespacePins } from '../../kernel/index.ts'
import type { Ledger } from '../../ledger/index.ts'
import type { PodNetwork } from '../../network/index.ts'
import type { Runtime, SystemdSlices } from '../../oci/index.ts'
import { createPodService, type PodService } from '../../pod/index.ts'
import { instrumented } from '../instrumented.ts'
import { version } from '../version.ts'
import type { PodStackOptions } from './options.ts'

export interface PodParts {
  runtime: Runtime
  images: ImageStore
  network: PodNetwork
  pins: NamespacePins
  ledger: Ledger
  streaming: StreamingUrls
  slices: SystemdSlices | undefined
}

/** The pod service above its parts, each observed if somebody asks. */
export function openPods(
  { runtime, images, network, pins, ledger, streaming, slices }: PodParts,
  { config, around, observed, clock, log }: PodStackOptions,
): Promise<PodService> {
  const { instance, runDirectory, runtimeHandlers, containers, cdi } = config
  return createPodService({
    runtime: instrumented.runtime(runtime, around),
    images: instrumented.images(observed?.(images) ?? images, around),
    network: instrumented.network(network, around),
    pins: instrumented.pins(pins, around),
    ledger,
    cgroupInstance: instance,
    runtimeHandlers,
    programPath: process.env['PATH'] ?? '',
    runDirectory,
    version,
    streaming,
    ...(slices && { slices }),
    containers,
    cdiDirectories: cdi.directories,
    clock,
    log: log.child({ part: 'pod' }),
  })
}
