import type { Clock } from '../../base/index.ts'
import type { ImageStore, PullOptions } from '../../image/index.ts'
import { putAround } from '../around.ts'
import type { CriMetrics } from './cri-metrics.ts'

/** The same store, of which pulls and the bytes that came for them are counted. */
export function observePulls(images: ImageStore, metrics: CriMetrics, clock: Clock): ImageStore {
  const pull = async (reference: string, options: PullOptions = {}) => {
    const startedMs = clock.monotonicMs()
    const seen = new Map<string, number>()
    let result = 'failed'
    try {
      const image = await images.pull(reference, {
        ...options,
        onProgress(event) {
          const before = seen.get(event.digest) ?? 0
          if (event.status !== 'exists' && event.currentBytes > before) {
            metrics.pullBytes.add({}, event.currentBytes - before)
            seen.set(event.digest, event.currentBytes)
          }
          options.onProgress?.(event)
        },
      })
      result = 'ok'
      return image
    } finally {
      metrics.pulls.add({ result })
      metrics.pullSeconds.observe({}, (clock.monotonicMs() - startedMs) / 1000)
    }
  }
  return putAround(images, 'images', [], (_step, call) => call(), { pull })
}
