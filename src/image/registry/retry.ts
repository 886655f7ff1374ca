import type { Clock, Logger } from '../../base/index.ts'
import { isTransient, mostTelling, RegistryError } from './failures.ts'
import type { Source } from './source.ts'

export interface Retry {
  clock: Clock
  log: Logger
  /** Between 0 and 1: nodes that failed together do not come back together. */
  random: () => number
}

const maxRounds = 3
const baseMs = 250
/** Who wants to be left alone for longer is left to the caller, who has a back-off of its own. */
const maxWaitMs = 30_000

/**
 * Tries the sources in order. What one lacks or cannot give, the next may; when none did, those that failed for the
 * moment only are asked again after a while. The failure that says most is what the caller gets.
 */
export async function fromFirst<T>(
  sources: readonly Source[],
  attempt: (source: Source) => Promise<T>,
  retry: Retry,
  signal: AbortSignal | undefined,
): Promise<T> {
  const failures = new Map<Source, unknown>()
  for (let left = sources, round = 1; ; round++) {
    for (const source of left) {
      try {
        return await attempt(source)
      } catch (error) {
        if (signal?.aborted) throw error
        failures.set(source, error)
        retry.log.debug('a registry failed', { registry: source.endpoint.name, error })
      }
    }
    left = left.filter((source) => isTransient(failures.get(source)))
    const failed = mostTelling([...failures.values()])
    if (left.length === 0 || round === maxRounds) throw failed
    const waitMs = backOffMs(round, [...failures.values()], retry.random)
    if (waitMs > maxWaitMs) throw failed
    retry.log.warn('trying again', {
      registries: left.map(({ endpoint }) => endpoint.name),
      waitMs,
      error: failed,
    })
    await retry.clock.sleep(waitMs, signal)
  }
}

/** Doubling, half of it by chance; never before the registry's own Retry-After. */
export function backOffMs(round: number, failures: readonly unknown[], random: () => number): number {
  const spanMs = baseMs * 2 ** (round - 1)
  const wanted = failures.map((error) => (error instanceof RegistryError ? (error.retryAfterMs ?? 0) : 0))
  return Math.max(spanMs / 2 + (spanMs / 2) * random(), ...wanted)
}
