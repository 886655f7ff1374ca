import { randomFillSync } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { directory, file, sha256, tar } from '../../test/support/archive.ts'
import { ociTypes, type Registry } from '../../test/support/registry.ts'

export const imageBytes = 480_000_000
export const layerCount = 10
const filesPerLayer = 450
const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'

/** An image like those of programs: many files of all sizes, of which about half compresses away. */
export async function pushGeneratedImage(registry: Registry): Promise<string> {
  const layers = []
  for (let at = 0; at < layerCount; at++) {
    const layer = await generatedLayer(at)
    const packed = await promisify(gzip)(layer, { level: 1 })
    const blob = await registry.pushBlob('bench', packed)
    layers.push({ ...blob, diffId: sha256(layer) })
  }
  const config = await registry.pushBlob(
    'bench',
    json({
      architecture,
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    }),
  )
  await registry.pushManifest('bench', '1', ociTypes.manifest, {
    schemaVersion: 2,
    mediaType: ociTypes.manifest,
    config: { mediaType: ociTypes.config, ...config },
    layers: layers.map(({ digest, size }) => ({ mediaType: ociTypes.layer, digest, size })),
  })
  return `${registry.host}/bench:1`
}

/** Sizes from a hundred bytes to a megabyte, evenly in their logarithm, scaled to the layer's share. */
async function generatedLayer(number: number): Promise<Buffer> {
  const weights = Array.from({ length: filesPerLayer }, (_, at) => 100 * 10 ** ((at * 4) / filesPerLayer))
  const sum = weights.reduce((total, weight) => total + weight, 0)
  const share = imageBytes / layerCount
  const folder = `layer${number}`
  const members = weights.map((weight, at) =>
    file(`${folder}/d${at % 20}/file${at}`, halfRandom(Math.round((weight / sum) * share))),
  )
  const folders = Array.from({ length: 20 }, (_, at) => directory(`${folder}/d${at}`))
  return await tar(directory(folder), ...folders, ...members)
}

/** Runs of random bytes between runs of a few that repeat, as code and tables have them. */
function halfRandom(bytes: number): Buffer {
  const content = Buffer.alloc(bytes)
  for (let at = 0; at < bytes; at += 64) {
    const random = Math.min(bytes - at, 28)
    randomFillSync(content, at, random)
    content.fill('keelson', at + random, Math.min(bytes, at + 64))
  }
  return content
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}
