import { KeelsonError, wholeQuantity } from '../base/index.ts'
import type { PodContext } from './context.ts'
import type { ContainerRecord, SandboxRecord } from './records.ts'

/**
 * CRI has no field for the size of a writable layer (only Windows containers have one), so a caller says it with an
 * annotation of the container, or of the pod for each of its containers: a quantity as `2Gi`.
 */
export const writableLayerAnnotation = 'io.keelson.writable-layer-size'
/** An overlay without a file in it takes a few directories. */
const bytesMin = 2 ** 16

/** Most bytes that this container may write; 0: as many as there are. What a pod asks for lowers the node's limit only. */
export function writableLayerBytesMax(
  { containers }: { containers: Pick<PodContext['containers'], 'writableLayerBytesMax'> },
  sandbox: Pick<SandboxRecord, 'config'>,
  { config }: Pick<ContainerRecord, 'config'>,
): number {
  const limit = containers.writableLayerBytesMax
  const text =
    config.annotations[writableLayerAnnotation] ?? sandbox.config.annotations[writableLayerAnnotation]
  if (text === undefined) return limit
  const asked = wholeQuantity(text)
  if (asked === undefined || asked < bytesMin || !Number.isSafeInteger(asked))
    throw new KeelsonError(
      'INVALID_ARGUMENT',
      `annotation ${writableLayerAnnotation}: "${text}" is no size of at least 64Ki`,
      { hint: 'write a quantity such as 2Gi' },
    )
  return limit === 0 ? asked : Math.min(limit, asked)
}
