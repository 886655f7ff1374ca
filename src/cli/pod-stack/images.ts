import { dockerCredentials, type ManagedImageStore, openImageStore, serveDoor } from '../../image/index.ts'
import { openLedger } from '../../ledger/index.ts'
import { ImageGarbage } from '../image-garbage.ts'
import { instrumented } from '../instrumented.ts'
import { pathsOf } from '../paths.ts'
import type { PodStackOptions } from './options.ts'

/** The images of this data directory. */
export function openImages({
  config,
  mirrors,
  around,
  clock,
  log,
}: PodStackOptions): Promise<ManagedImageStore> {
  const { parallelLayers, credentials } = config.images
  return openImageStore({
    dataDirectory: pathsOf(config).images,
    mirrors,
    ...(credentials !== '' && {
      credentials: dockerCredentials({ files: [credentials], environment: process.env }),
    }),
    parallelLayers,
    openLedger: async (where) => instrumented.ledger(await openLedger(where), around),
    clock,
    log: log.child({ part: 'image' }),
  })
}

/** How `keelson image` reaches the store that this process has. */
export function openDoor(
  images: ManagedImageStore,
  { config, clock, log }: PodStackOptions,
): Promise<AsyncDisposable> {
  return serveDoor(images, {
    dataDirectory: pathsOf(config).images,
    clock,
    log: log.child({ part: 'image' }),
  })
}

/** Keeps room on the disk of the images, where that is asked for. */
export function keepRoom(
  images: ManagedImageStore,
  { config, collected, clock, log }: PodStackOptions,
): AsyncDisposable {
  const policy = config.images.garbage
  return new ImageGarbage({ images, policy, collected, clock, log: log.child({ part: 'image' }) })
}
