import { asKeelsonError, type Clock, type Logger } from '../base/index.ts'
import type { Collected, GarbagePolicy, ManagedImageStore } from '../image/index.ts'

export interface ImageGarbageOptions {
  images: Pick<ManagedImageStore, 'collectGarbage'>
  /** `highPercent` 100: never. */
  policy: GarbagePolicy & { intervalMs: number }
  collected?: ((freed: Collected) => void) | undefined
  clock: Clock
  log: Logger
}

/**
 * Looks now and then how full the disk of the images is, and has those removed that nobody has used for longest when it
 * is fuller than allowed. Containers write to that disk too, and nobody tells when they do: hence by the clock.
 */
export class ImageGarbage implements AsyncDisposable {
  readonly #options: ImageGarbageOptions
  #running: Promise<void> = Promise.resolve()
  #closed = false
  #cancel: (() => void) | undefined

  constructor(options: ImageGarbageOptions) {
    this.#options = options
    if (options.policy.highPercent < 100) this.#wait()
  }

  /** After what is being removed at the moment. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#cancel?.()
    await this.#running
  }

  #wait(): void {
    const { clock, policy } = this.#options
    this.#cancel = clock.after(policy.intervalMs, () => {
      this.#running = this.#look().finally(() => !this.#closed && this.#wait())
    })
  }

  async #look(): Promise<void> {
    const { images, policy, log } = this.#options
    try {
      this.#tell(await images.collectGarbage(policy))
    } catch (error) {
      log.warn('no images were removed from a full disk', { error: asKeelsonError(error) })
    }
  }

  #tell(freed: Collected): void {
    const { collected, policy, log } = this.#options
    const { images, bytes, missingBytes } = freed
    collected?.(freed)
    const names = images.map(({ repoTags, id }) => repoTags[0] ?? id)
    if (images.length > 0)
      log.info('unused images were removed: the disk was too full', {
        images: names,
        freedBytes: bytes,
        ...policy,
      })
    if (missingBytes > 0)
      log.warn('the disk is too full, and no image is left that may go', { missingBytes, ...policy })
  }
}
