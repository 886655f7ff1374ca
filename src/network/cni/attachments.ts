import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { asKeelsonError, KeelsonError, type Logger, writeAtomic } from '../../base/index.ts'
import type { Offers } from './capabilities.ts'
import type { NetworkList } from './network-list.ts'
import type { CniResult } from './result.ts'

/**
 * A container on a network: what DEL and CHECK must be told again, since the configuration may have changed since
 * ADD. It is written before the first plugin is called, so that after a crash DEL is known to be due, and again with
 * the result.
 */
export interface Attachment {
  version: 1
  containerId: string
  ifName: string
  /** As it was at ADD. */
  network: NetworkList
  args: Readonly<Record<string, string>>
  offers: Offers
  /** Absent: ADD has not succeeded, or is not known to have. */
  result?: CniResult
}

export type AttachmentKey = Pick<Attachment, 'containerId' | 'ifName'>

/** The attachments of this node, a file each: read once, then in memory; every change is on disk before it is answered. */
export class Attachments {
  readonly #directory: string
  readonly #attachments = new Map<string, Attachment>()
  /** Files that may each be an attachment nobody knows any more. */
  readonly unreadable: string[] = []

  private constructor(directory: string) {
    this.#directory = directory
  }

  /** A file that cannot be read is told and left where it is. */
  static async open(directory: string, log: Logger): Promise<Attachments> {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const opened = new Attachments(directory)
    for (const name of await readdir(directory)) {
      // What a crash left of a write that was not to be.
      if (name.endsWith('.tmp')) await rm(join(directory, name), { force: true })
      if (name.endsWith('.json')) await opened.#read(join(directory, name), log)
    }
    return opened
  }

  get(key: AttachmentKey): Attachment | undefined {
    return this.#attachments.get(nameOf(key))
  }

  all(): Attachment[] {
    return [...this.#attachments.values()]
  }

  async put(attachment: Attachment): Promise<void> {
    await writeAtomic(this.#path(attachment), JSON.stringify(attachment))
    this.#attachments.set(nameOf(attachment), attachment)
  }

  async remove(key: AttachmentKey): Promise<void> {
    await rm(this.#path(key), { force: true })
    this.#attachments.delete(nameOf(key))
  }

  async #read(path: string, log: Logger): Promise<void> {
    try {
      const attachment = JSON.parse(await readFile(path, 'utf8')) as Attachment
      if (attachment.version !== 1)
        throw new KeelsonError('DATA_LOSS', `an attachment of version ${String(attachment.version)}`, {
          path,
        })
      this.#attachments.set(nameOf(attachment), attachment)
    } catch (error) {
      this.unreadable.push(path)
      log.warn('an attachment to a CNI network cannot be read', { path, error: asKeelsonError(error) })
    }
  }

  #path(key: AttachmentKey): string {
    return join(this.#directory, `${nameOf(key)}.json`)
  }
}

function nameOf({ containerId, ifName }: AttachmentKey): string {
  return `${containerId}-${ifName}`
}
