import { Cleanup, KeelsonError } from '../../base/index.ts'
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
  const { parallelLayers, credentials, projectIds, unpack } = config.images
  const log = above.child({ part: 'image' })
  const dataDirectory = pathsOf(config).images
  await using undo = new Cleanup()
  const images = await undo.use(
    openImageStore({
      dataDirectory,
      mirrors: await followRegistries(registries, log),
      ...(credentials !== '' && {
        credentials: dockerCredentials({ files: [credentials], environment: process.env }),
      }),
      parallelLayers,
      projectIds,
      unpackLimits: {
        maxBytes: unpack.bytesMax,
        maxEntries: unpack.entriesMax,
        maxDepth: unpack.depthMax,
        maxRatio: unpack.ratioMax,
      },
      openLedger: async (where) => instrumented.ledger(await openImageLedger(where), around),
      clock,
      log,
    }),
  )
  if (config.containers.writableLayerBytesMax > 0 && !images.snapshots.hasLimits) refuseLimit(dataDirectory)
  undo.keep()
  return images
}

function refuseLimit(path: string): never {
  const message = `containers.writableLayerBytesMax: the disk of ${path} has no project quotas`
  const hint = 'put dataDirectory on ext4 (mkfs -O quota,project) or XFS, mounted with prjquota'
  throw new KeelsonError('FAILED_PRECONDITION', message, { path, hint })
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
