import { hasCode, KeelsonError, type Logger } from '../base/index.ts'
import { projectQuota, type QuotaState } from '../kernel/index.ts'

/** Project ids that nobody else on this disk gives away. */
export interface ProjectIds {
  readonly first: number
  readonly count: number
}

/** Far from where the kubelet (1,048,577 up) and people with /etc/projects begin. */
export const defaultProjectIds: ProjectIds = { first: 1_200_000_000, count: 1_000_000 }

/** Ids that turn out to be somebody else's, in a row, before we stop looking. */
const strangersMax = 1000

interface LayerQuotaOptions {
  /** On the disk of the layers. */
  directory: string
  ids: ProjectIds
  log: Logger
  quota?: typeof projectQuota
}

/**
 * Where the disk has project quotas, each writable layer is a project of its own: the disk then counts what it takes,
 * so that nobody walks through it, and can hold it to a limit. An id belongs to a layer from before its first file until
 * after its last one; which ids are given is known from the records of the layers alone, and one that something
 * belongs to already is passed over.
 */
export class LayerQuota {
  readonly #options: LayerQuotaOptions
  readonly #quota: typeof projectQuota
  readonly #given: Set<number>
  #state: QuotaState
  #next = 0

  private constructor(options: LayerQuotaOptions, state: QuotaState, given: Iterable<number>) {
    this.#options = options
    this.#quota = options.quota ?? projectQuota
    this.#state = state
    this.#given = new Set(given)
  }

  /** `given` are those of recorded layers. */
  static async open(options: LayerQuotaOptions, given: Iterable<number>): Promise<LayerQuota> {
    const state = await (options.quota ?? projectQuota).state(options.directory)
    return new LayerQuota(options, state, given)
  }

  get hasLimits(): boolean {
    return this.#state.limits
  }

  /**
   * Makes an empty directory a project, limited to `bytesMax` unless that is 0. Undefined: it is counted by walking
   * through it. FAILED_PRECONDITION where a limit cannot be had.
   */
  async give(directory: string, bytesMax: number): Promise<number | undefined> {
    if (bytesMax > 0 && !this.#state.limits) throw this.#noLimits()
    if (bytesMax === 0 && !this.#state.counts) return undefined
    try {
      return await this.#assign(directory, bytesMax)
    } catch (error) {
      if (bytesMax > 0) throw error
      this.#options.log.warn('a writable layer gets no project quota', { error })
      // Ids come back; what is not permitted will not be the next time either.
      if (!hasCode(error, 'RESOURCE_EXHAUSTED')) this.#state = { ...this.#state, counts: false }
      return undefined
    }
  }

  /** After the last file of the layer is gone. */
  async release(id: number): Promise<void> {
    await this.#quota.release(this.#options.directory, id)
    this.#given.delete(id)
  }

  usage(id: number): Promise<{ bytes: number; inodes: number }> {
    return this.#quota.usage(this.#options.directory, id)
  }

  async #assign(directory: string, bytesMax: number): Promise<number> {
    const { first, count } = this.#options.ids
    for (let strangers = 0; strangers < strangersMax && this.#given.size < count; strangers++) {
      const id = this.#take()
      let assigned = false
      try {
        assigned = await this.#quota.assign(directory, id, bytesMax)
      } finally {
        if (!assigned) this.#given.delete(id)
      }
      if (assigned) return id
    }
    throw new KeelsonError(
      'RESOURCE_EXHAUSTED',
      `no project id from ${first} to ${first + count - 1} is free for a writable layer`,
      { hint: 'give this instance a range of its own with images.projectIds' },
    )
  }

  /** In turn, so that an id rests after its layer is gone. */
  #take(): number {
    const { first, count } = this.#options.ids
    while (this.#given.has(first + this.#next)) this.#next = (this.#next + 1) % count
    const id = first + this.#next
    this.#next = (this.#next + 1) % count
    this.#given.add(id)
    return id
  }

  #noLimits(): KeelsonError {
    const { directory } = this.#options
    return new KeelsonError(
      'FAILED_PRECONDITION',
      `a writable layer cannot be limited: the disk of ${directory} has no project quotas`,
      {
        path: directory,
        hint: 'put the data directory on ext4 (mkfs -O quota,project) or XFS, mounted with prjquota',
      },
    )
  }
}
