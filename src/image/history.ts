import type { Blob, ContentStore } from './content-store.ts'
import type { HistoryStep } from './image-store.ts'
import { parseObject } from './manifest.ts'

/**
 * The steps of a config's `history` (image-spec config.md), newest first. Each that is not marked `empty_layer` made
 * the next of the manifest's layers; where the history is short or absent, layers are left without words.
 */
export async function readHistory(
  content: ContentStore,
  configDigest: string,
  layers: readonly Blob[],
): Promise<HistoryStep[]> {
  const { history } = parseObject(await content.read(configDigest), 'the config')
  const left = [...layers]
  const steps = (Array.isArray(history) ? history : []).map((entry): HistoryStep => {
    const { created, created_by: createdBy, comment, empty_layer: empty } = Object(entry)
    const layer = empty === true ? undefined : left.shift()
    return {
      ...(typeof created === 'string' && { created }),
      createdBy: typeof createdBy === 'string' ? createdBy : '',
      ...(typeof comment === 'string' && { comment }),
      ...ofLayer(layer),
    }
  })
  return [...steps, ...left.map((layer) => ({ createdBy: '', ...ofLayer(layer) }))].toReversed()
}

function ofLayer(layer: Blob | undefined): Pick<HistoryStep, 'sizeBytes' | 'layerDigest'> {
  return layer === undefined ? { sizeBytes: 0 } : { sizeBytes: layer.sizeBytes, layerDigest: layer.digest }
}
