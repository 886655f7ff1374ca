import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { ContentStore } from '../content-store.ts'
import { splitDigest } from '../digest.ts'
import { decompressed } from '../unpack/decompress.ts'
import { type ArchiveFile, jsonFile, uniqueFiles } from './files.ts'
import type { NamedImage } from './named-image.ts'

/**
 * What `docker save` wrote before it wrote layouts: the config, every layer as a plain tar named by its diff id, and
 * manifest.json. A tar says how long a file is before it begins, so layers are decompressed into `spool` first.
 */
export async function dockerArchiveFiles(
  content: ContentStore,
  images: readonly NamedImage[],
  spool: string,
  signal: AbortSignal | undefined,
): Promise<ArchiveFile[]> {
  const layers = new Map<string, ArchiveFile>()
  for (const { record, manifest } of images)
    for (const [at, diffId] of record.image.layers.entries()) {
      const digest = manifest.parsed.layers[at]?.digest
      if (digest !== undefined && !layers.has(diffId))
        layers.set(diffId, await plainLayer(content.path(digest), layerName(diffId), spool, signal))
    }
  const configs = images.map(
    ({
      manifest: {
        parsed: { config },
      },
    }) => ({
      name: configName(config.digest),
      content: { path: content.path(config.digest), sizeBytes: config.sizeBytes },
    }),
  )
  return [...layers.values(), ...uniqueFiles(configs), jsonFile('manifest.json', images.map(entry))]
}

function entry({ record, manifest, tags }: NamedImage) {
  return {
    Config: configName(manifest.parsed.config.digest),
    RepoTags: tags.length === 0 ? null : tags,
    Layers: record.image.layers.map(layerName),
  }
}

async function plainLayer(
  blobPath: string,
  name: string,
  spool: string,
  signal: AbortSignal | undefined,
): Promise<ArchiveFile> {
  const path = join(spool, name)
  await pipeline(decompressed(createReadStream(blobPath)), createWriteStream(path), {
    ...(signal && { signal }),
  })
  return { name, content: { path, sizeBytes: (await stat(path)).size } }
}

const layerName = (diffId: string) => `${splitDigest(diffId).hex}.tar`
const configName = (digest: string) => `${splitDigest(digest).hex}.json`
