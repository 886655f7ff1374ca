import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, writeAtomic } from '../base/index.ts'
import type { ContentStore } from './content-store.ts'
import { splitDigest } from './digest.ts'
import { isInterruption } from './interruption.ts'

interface Lease {
  version: 1
  boot: string
  /** Digests of all that the pull needs. */
  blobs: string[]
  /** Since the Unix epoch. */
  untilMs: number
}

/** How long what an interrupted pull has stored waits for the next try. A kubelet tries every five minutes. */
const leaseMs = 3_600_000
/** Less than this is fetched again sooner than it is looked after. */
const leastBytes = 2 ** 20

/**
 * What a pull has stored so far is kept for whoever tries it again: a lease, a file from before the first byte until
 * the image is recorded, names its blobs, and the collector passes over them. A pull that fails for good takes its
 * lease back; one that is interrupted (registry gone, caller gone, process killed) leaves it for an hour. After a
 * power cut nobody knows what reached the disk, so a lease of another boot holds nothing.
 */
export class Leases implements Disposable {
  readonly #directory: string
  readonly #content: ContentStore
  readonly #boot: string
  readonly #clock: Clock
  readonly #held = new Map<string, Lease>()
  /** Pulls that run now, by the name of their lease. */
  readonly #holders = new Map<string, number>()
  #cancel: (() => void) | undefined

  private constructor(directory: string, { content, boot, clock }: LeaseContext) {
    this.#directory = join(directory, 'leases')
    this.#content = content
    this.#boot = boot
    this.#clock = clock
  }

  static async open(directory: string, context: LeaseContext): Promise<Leases> {
    const leases = new Leases(directory, context)
    await mkdir(leases.#directory, { recursive: true, mode: 0o700 })
    for (const name of await readdir(leases.#directory)) {
      const lease = await readLease(join(leases.#directory, name))
      if (lease && lease.boot === context.boot) leases.#held.set(name, lease)
      else await rm(join(leases.#directory, name), { force: true })
    }
    for (const name of leases.#held.keys()) await leases.#endUseless(name)
    return leases
  }

  /** For the pull of what this digest stands for, once more while another such pull runs, perhaps for another platform. */
  async take(digest: string, blobs: readonly string[]): Promise<void> {
    const name = splitDigest(digest).hex
    const untilMs = this.#clock.nowMs() + leaseMs
    const joined = new Set([...(this.#held.get(name)?.blobs ?? []), ...blobs])
    const lease: Lease = { version: 1, boot: this.#boot, blobs: [...joined], untilMs }
    this.#holders.set(name, (this.#holders.get(name) ?? 0) + 1)
    this.#held.set(name, lease)
    await writeAtomic(join(this.#directory, name), JSON.stringify(lease), { durable: false })
  }

  /** The image is recorded. */
  async end(digest: string): Promise<void> {
    const name = splitDigest(digest).hex
    if (this.#leaves(name)) await this.#end(name)
  }

  /** The pull has failed. */
  async fail(digest: string, error: unknown): Promise<void> {
    const name = splitDigest(digest).hex
    if (!this.#leaves(name)) return
    if (isInterruption(error)) await this.#endUseless(name)
    else await this.#end(name)
  }

  holds(blob: string): boolean {
    const nowMs = this.#clock.nowMs()
    return [...this.#held.values()].some(({ untilMs, blobs }) => untilMs > nowMs && blobs.includes(blob))
  }

  /** Ends what has run out; `expired` is called when the next one has. */
  async sweep(expired: () => void): Promise<void> {
    const nowMs = this.#clock.nowMs()
    // A clock that was set back does not make a lease longer.
    const isOver = ({ untilMs }: Lease) => untilMs <= nowMs || untilMs > nowMs + leaseMs
    for (const [name, lease] of this.#held) if (isOver(lease)) await this.#end(name)
    this.#cancel?.()
    const next = Math.min(...[...this.#held.values()].map(({ untilMs }) => untilMs - nowMs))
    this.#cancel = Number.isFinite(next) ? this.#clock.after(next, expired) : undefined
  }

  [Symbol.dispose](): void {
    this.#cancel?.()
  }

  /** Whether it was the last that held it. */
  #leaves(name: string): boolean {
    const left = (this.#holders.get(name) ?? 1) - 1
    if (left > 0) this.#holders.set(name, left)
    else this.#holders.delete(name)
    return left <= 0
  }

  /** Unless it saves the next try a good part of its work. */
  async #endUseless(name: string): Promise<void> {
    const blobs = this.#held.get(name)?.blobs ?? []
    const partials = (await this.#content.partials()).filter((digest) => blobs.includes(digest))
    const sizes = await Promise.all(blobs.map((digest) => this.#content.size(digest)))
    const bytes = sizes.reduce<number>((sum, size = 0) => sum + size, 0)
    if (partials.length === 0 && bytes < leastBytes) await this.#end(name)
  }

  async #end(name: string): Promise<void> {
    this.#held.delete(name)
    await rm(join(this.#directory, name), { force: true })
  }
}

interface LeaseContext {
  content: ContentStore
  /** Boot id of the running kernel. */
  boot: string
  clock: Clock
}

async function readLease(path: string): Promise<Lease | undefined> {
  try {
    const { version, boot, blobs, untilMs } = JSON.parse(await readFile(path, 'utf8'))
    const isWhole =
      version === 1 && typeof boot === 'string' && Array.isArray(blobs) && typeof untilMs === 'number'
    return isWhole ? { version, boot, blobs, untilMs } : undefined
  } catch {
    return undefined // another version's, or cut off by a crash: then it holds nothing
  }
}
