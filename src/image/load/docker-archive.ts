import { open } from 'node:fs/promises'
import { maxConfigBytes } from '../config.ts'
import type { Blob } from '../content-store.ts'
import { digestOf } from '../digest.ts'
import { type Installation, once } from '../install.ts'
import { asObject, broken, composeManifest, type Descriptor, maxManifestBytes } from '../manifest.ts'
import { formatReference, parseReference } from '../reference.ts'
import { compressionOf } from '../unpack/decompress.ts'
import type { Folder } from './folder.ts'
import { requireOneImage } from './one-name.ts'

/** Stores bytes and says what and where they are; they stay until their image is installed. */
export type Ingest = (source: AsyncIterable<Buffer>) => Promise<Blob & { path: string }>

const maxImages = 1000

/**
 * Every image of a docker-archive (`docker save`), each read when it is asked for: manifest.json lists config file, tags and layer files. Such an
 * archive has no registry manifest, hence no repo digests; layers are named by what they turn out to be, and a
 * manifest of ours names them for whoever pushes the image.
 */
export async function* readDockerArchive(
  folder: Folder,
  ingest: Ingest,
  reference: string | undefined,
): AsyncGenerator<Installation> {
  const list: unknown = parse(await folder.whole('manifest.json', maxManifestBytes))
  if (!Array.isArray(list)) broken('manifest.json is not a list')
  if (list.length > maxImages) broken(`manifest.json names ${list.length} images`)
  requireOneImage(reference, list.length)
  for (const entry of list) yield await readImage(folder, ingest, entry, reference)
}

async function readImage(
  folder: Folder,
  ingest: Ingest,
  entry: unknown,
  reference: string | undefined,
): Promise<Installation> {
  const {
    Config: configPath,
    RepoTags: tags,
    Layers: layerPaths,
  } = asObject(entry, 'an entry of manifest.json')
  if (typeof configPath !== 'string' || !isTexts(layerPaths)) broken('manifest.json lacks Config or Layers')
  const config = await folder.whole(configPath, maxConfigBytes)
  const layers: Descriptor[] = []
  for (const path of layerPaths) {
    const { digest, sizeBytes, path: stored } = await ingest(folder.read(path))
    layers.push({ digest, sizeBytes, mediaType: await layerType(stored) })
  }
  const named = reference === undefined ? (isTexts(tags) ? tags : []) : [reference]
  const manifest = {
    config: { digest: digestOf(config), sizeBytes: config.length, mediaType: ociTypes.config },
    layers,
  }
  const bytes = composeManifest(manifest)
  return {
    manifest,
    documents: [{ digest: digestOf(bytes), bytes }],
    source: { blob: () => once(config) },
    tags: named.map((tag) => formatReference(parseReference(tag))),
    digests: [],
  }
}

const ociTypes = {
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
}

/** By its first bytes: most tools write plain tars here, some what they have. */
async function layerType(path: string): Promise<string> {
  await using file = await open(path, 'r')
  const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
  return `${ociTypes.layer}${{ gzip: '+gzip', zstd: '+zstd', none: '' }[compressionOf(buffer)]}`
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return broken('manifest.json is not JSON')
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
