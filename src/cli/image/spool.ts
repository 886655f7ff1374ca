import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** A file for an archive that comes or goes through a pipe: archives are read and written at many places. */
export class Spool implements AsyncDisposable {
  readonly path: string
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
    this.path = join(folder, 'archive')
  }

  static async make(): Promise<Spool> {
    return new Spool(await mkdtemp(join(tmpdir(), 'keelson-image-')))
  }

  async fill(source: Readable, signal: AbortSignal): Promise<void> {
    await pipeline(source, createWriteStream(this.path), { signal })
  }

  async empty(target: Writable, signal: AbortSignal): Promise<void> {
    await pipeline(createReadStream(this.path), target, { signal, end: false })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }
}
