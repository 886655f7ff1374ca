import { mkdir, open, realpath, stat } from 'node:fs/promises'
import { asKeelsonError, Cleanup, KeelsonError } from '../../base/index.ts'
import { removeTree } from '../../kernel/index.ts'
import type { Image } from '../image-store.ts'
import { type InstallContext, install } from '../install.ts'
import type { Platform } from '../platform.ts'
import { type Ingest, readDockerArchive } from './docker-archive.ts'
import { Folder } from './folder.ts'
import { readOciLayout } from './oci-layout.ts'

/** Installs what an OCI layout (directory or tar) or a docker-archive holds. A tar is unpacked beside the store first. */
export async function loadImages(
  context: InstallContext & { platform: Platform },
  path: string,
  reference: string | undefined,
  signal: AbortSignal,
): Promise<Image[]> {
  await using undo = new Cleanup()
  const folder = await undo.use(await openFolder(context, path, undo, signal))
  const images = folder.has('index.json')
    ? readOciLayout(folder, context.platform, reference)
    : folder.has('manifest.json')
      ? readDockerArchive(folder, ingestPinned(context, undo, signal), reference)
      : unknownArchive(path)
  const loaded: Image[] = []
  for await (const image of images) loaded.push(await install(context, image, signal))
  return loaded
}

/** What an archive brings belongs to no image until that is installed: it is kept from the collector as long. */
function ingestPinned({ content, pin }: InstallContext, undo: Cleanup, signal: AbortSignal): Ingest {
  return async (source) => {
    const onKnown = (digest: string) => {
      const pinned = pin([digest])
      undo.defer(() => pinned[Symbol.dispose]())
    }
    const blob = await content.ingestUnknown(source, { signal, onKnown })
    return { ...blob, path: content.path(blob.digest) }
  }
}

async function openFolder(
  context: InstallContext,
  path: string,
  undo: Cleanup,
  signal: AbortSignal,
): Promise<Folder> {
  try {
    if ((await stat(path)).isDirectory()) return new Folder(await realpath(path))
    await using file = await open(path, 'r')
    const unpacked = context.content.temporaryPath('load')
    await mkdir(unpacked, { mode: 0o700 })
    undo.defer(() => removeTree(unpacked))
    await context.layers.unpackArchive(file, unpacked, signal)
    return new Folder(unpacked)
  } catch (error) {
    throw asKeelsonError(error, { op: 'load', path })
  }
}

function unknownArchive(path: string): never {
  throw new KeelsonError('INVALID_ARGUMENT', `${path} is no image archive`, {
    hint: 'an OCI layout has index.json, a docker-archive has manifest.json',
  })
}
