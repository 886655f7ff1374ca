import { open } from 'node:fs/promises'
import type { ContentStore } from './content-store.ts'
import type { ArchiveStore, UnpackedArchive } from './image-store.ts'
import type { LayerStore } from './layer-store.ts'
import { annotationsOf } from './manifest.ts'
import type { ImageRecord } from './records.ts'
import { readStoredManifest } from './stored-manifest.ts'
import { copyLayers, unpackInto } from './unpacked-archive.ts'

/** Archives that are no images: files of their own, or what the layers of an image carry. */
export class CarriedArchives implements ArchiveStore {
  readonly #parts: Parts
  readonly #annotations = new WeakMap<ImageRecord['image'], Readonly<Record<string, string>>>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** An image never changes, and the one who asks does so for every container. */
  async annotations(imageId: string): Promise<Readonly<Record<string, string>>> {
    const record = this.#parts.record(imageId)
    const known = this.#annotations.get(record.image)
    if (known) return known
    const { bytes } = await readStoredManifest(this.#parts.content, record)
    const found = annotationsOf(bytes)
    this.#annotations.set(record.image, found)
    return found
  }

  unpack(path: string, options: { signal?: AbortSignal } = {}): Promise<UnpackedArchive> {
    const { layers, work } = this.#parts
    return work(options.signal, (signal) =>
      this.#into(async (directory) => {
        await using file = await open(path, 'r')
        await layers.unpackArchive(file, directory, signal)
      }),
    )
  }

  async unpackImage(imageId: string, options: { signal?: AbortSignal } = {}): Promise<UnpackedArchive> {
    const { directoriesOf, record, pin, work } = this.#parts
    const layers = directoriesOf(imageId)
    using _layers = pin(record(imageId).layerKeys)
    return await work(options.signal, (signal) =>
      this.#into((directory) => copyLayers(layers, directory, signal)),
    )
  }

  #into(fill: (directory: string) => Promise<void>): Promise<UnpackedArchive> {
    return unpackInto(this.#parts.content.temporaryPath('archive'), fill)
  }
}

interface Parts {
  content: ContentStore
  layers: LayerStore
  record: (imageId: string) => ImageRecord
  /** The layers of an image, topmost first. */
  directoriesOf: (imageId: string) => string[]
  pin: (names: readonly string[]) => Disposable
  /** Ends when the store is closed. */
  work: <T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>) => Promise<T>
}
