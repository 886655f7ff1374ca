import {
  dockerCredentials,
  type ManagedImageStore,
  openImageLedger,
  openImageStore,
  serveDoor,
} from '../../image/index.ts'
import { ImageGarbage } from '../image-garbage.ts'
import { instrumented } from '../instrumented.ts'
import { pathsOf } from '../paths.ts'
import { followRegistries } from '../registries.ts'
import type { PodStackOptions } from './options.ts'

/** The images of this data directory. */
export async function openImages({
  config,
  registries,
  around,
  clock,
  log: above,
}: PodStackOptions): Promise<ManagedImageStore> {
  const { parallelLayers, credentials } = config.images
  const log = above.child({ part: 'image' })
  return await openImageStore({
    dataDirectory: pathsOf(config).images,
    mirrors: await followRegistries(registries, log),
    ...(credentials !== '' && {
      credentials: dockerCredentials({ files: [credentials], environment: process.env }),
    }),
    parallelLayers,
    openLedger: async (where) => instrumented.ledger(await openImageLedger(where), around),
    clock,
    log,
  })
}

/** How `keelson image` reaches the store that this process has. When it is to end, nobody is waited for. */
export function openDoor(
  images: ManagedImageStore,
  { config, clock, log, signal }: PodStackOptions,
): Promise<AsyncDisposable> {
  return serveDoor(images, {
    dataDirectory: pathsOf(config).images,
    clock,
    log: log.child({ part: 'image' }),
    signal,
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
