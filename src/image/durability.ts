import type { Clock, Logger } from '../base/index.ts'
import { syncFilesystem } from '../kernel/index.ts'
import type { Change, Records } from './records.ts'

/**
 * Layers are not flushed while they are unpacked, that would make a pull as slow as the disk. They survive the death
 * of the process; a power cut within the next seconds they may not. So each is marked with the boot that wrote it
 * until a syncfs has come after it, and a mark of another boot means that its files cannot be trusted. An image is
 * marked the same way for its blobs.
 */
const syncAfterMs = 5_000

/** Forgets layers and images that an earlier boot did not get to disk, and the images and snapshots made of them. */
export async function dropUntrusted(records: Records, boot: string, log: Logger): Promise<void> {
  const stale = [...records.unsynced].filter(([, mark]) => mark.boot !== boot).map(([directory]) => directory)
  if (stale.length === 0) return
  const layers = [...records.layers.values()].filter(({ directory }) => stale.includes(directory))
  const keys = layers.map(({ key }) => key)
  const needs = ({ layerKeys }: { layerKeys: string[] }) => layerKeys.some((key) => keys.includes(key))
  const images = [...records.images.values()]
    .filter((record) => needs(record) || stale.includes(record.image.id))
    .map(({ image }) => image.id)
  const snapshots = [...records.snapshots.values()].filter(needs).map(({ key }) => key)
  log.warn('the machine went down before these were on disk: they are dropped', { images, snapshots })
  const changes: Change[] = [
    ...images.map((key): Change => ({ remove: 'image', key })),
    ...snapshots.map((key): Change => ({ remove: 'snapshot', key })),
    ...keys.map((key): Change => ({ remove: 'layer', key })),
    ...stale.map((key): Change => ({ remove: 'unsynced', key })),
  ]
  await records.commit(changes)
}

interface SettlerOptions {
  records: Records
  directory: string
  clock: Clock
  log: Logger
  flushOnClose: boolean
}

/** Flushes, a while after the last request, and takes the marks away. */
export class Settler implements AsyncDisposable {
  readonly #options: SettlerOptions
  #cancel: (() => void) | undefined
  #closed = false

  constructor(options: SettlerOptions) {
    this.#options = options
  }

  request(): void {
    if (this.#closed || this.#options.records.unsynced.size === 0) return
    this.#cancel?.()
    this.#cancel = this.#options.clock.after(syncAfterMs, () => {
      this.#settle().catch((error) =>
        this.#options.log.warn('layers could not be flushed to disk', { error }),
      )
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel?.()
    if (this.#options.flushOnClose && this.#options.records.unsynced.size > 0) await this.#settle()
    this.#closed = true
  }

  async #settle(): Promise<void> {
    const { records, directory } = this.#options
    const written = [...records.unsynced]
    await syncFilesystem(directory)
    if (this.#closed) return
    await records.change((now) => {
      // What was marked anew meanwhile may have been written after the flush had begun.
      const still = written.filter(([key, mark]) => now.unsynced.get(key) === mark)
      return { changes: still.map(([key]): Change => ({ remove: 'unsynced', key })), result: undefined }
    })
  }
}
