import { isDeepStrictEqual } from 'node:util'
import { type ApiClient, type Pod, type PodStatus, resources } from '../api/index.ts'
import { type Clock, hasCode, type Logger, WorkQueue } from '../base/index.ts'

export interface StatusManagerOptions {
  client: ApiClient
  clock: Clock
  log: Logger
  /** The newest state of a pod that the API watch has shown. */
  desired(uid: string): Pod | undefined
  concurrency?: number
}

interface Entry {
  pod: Pod
  wanted: PodStatus
  /** The object as our own last write left it: may be newer than what the watch has shown. */
  written: Pod | undefined
  waiters: { resolve: () => void; reject: (error: unknown) => void }[]
}

/**
 * Writes pod statuses to the API server: at once, one write per pod at a time, always the newest wish, and nothing
 * when the server already has it. A conflict fetches the object and writes again.
 */
export class StatusManager {
  readonly #options: StatusManagerOptions
  readonly #entries = new Map<string, Entry>()
  readonly #queue: WorkQueue<string>

  constructor(options: StatusManagerOptions) {
    this.#options = options
    this.#queue = new WorkQueue({
      clock: options.clock,
      concurrency: options.concurrency ?? 32,
      backoffMaxMs: 10_000,
      worker: (uid) => this.#write(uid),
      onError: (uid, error, attempt) => options.log.warn('pod status not written', { uid, attempt, error }),
    })
  }

  set(uid: string, pod: Pod, wanted: PodStatus): void {
    const entry = this.#entries.get(uid)
    if (entry) Object.assign(entry, { pod, wanted })
    else this.#entries.set(uid, { pod, wanted, written: undefined, waiters: [] })
    this.#queue.add(uid)
  }

  /** The status last asked for, which the API server may not show yet. */
  wanted(uid: string): PodStatus | undefined {
    return this.#entries.get(uid)?.wanted
  }

  /** Whether this state of the pod is what our own last write made of it. */
  isOwnWrite(uid: string, pod: Pod): boolean {
    const version = this.#entries.get(uid)?.written?.metadata.resourceVersion
    return version !== undefined && version === pod.metadata.resourceVersion
  }

  /** Resolves when the server has the newest status of this pod, or no such pod any more. */
  async flushed(uid: string): Promise<void> {
    const entry = this.#entries.get(uid)
    if (!entry) return
    await new Promise<void>((resolve, reject) => {
      entry.waiters.push({ resolve, reject })
      this.#queue.add(uid)
    })
  }

  forget(uid: string): void {
    for (const { resolve } of this.#entries.get(uid)?.waiters ?? []) resolve()
    this.#entries.delete(uid)
  }

  close(): Promise<void> {
    return this.#queue.close()
  }

  async #write(uid: string): Promise<void> {
    const entry = this.#entries.get(uid)
    if (!entry) return
    const waiters = entry.waiters.splice(0)
    try {
      await this.#bring(uid, entry, newest(this.#options.desired(uid) ?? entry.pod, entry.written))
      for (const { resolve } of waiters) resolve()
    } catch (error) {
      for (const { reject } of waiters) reject(error)
      throw error
    }
  }

  async #bring(uid: string, entry: Entry, base: Pod, attempt = 0): Promise<void> {
    const { client } = this.#options
    const status = withForeignConditions(entry.wanted, base)
    if (isDeepStrictEqual(base.status, status)) return
    try {
      entry.written = await client.replaceStatus(resources.pods, { ...base, status })
    } catch (error) {
      if (hasCode(error, 'NOT_FOUND')) return
      if (!hasCode(error, 'CONFLICT') || attempt >= 5) throw error
      const { name = '', namespace } = base.metadata
      const fresh = await client.find(resources.pods, { name, namespace })
      if (fresh?.metadata.uid === uid) await this.#bring(uid, entry, fresh, attempt + 1)
    }
  }
}

/** Conditions that others set (readiness gates) are theirs: the newest of them stay. */
export function withForeignConditions(wanted: PodStatus, base: Pod): PodStatus {
  const own = new Set(ownConditions)
  const ours = (wanted.conditions ?? []).filter(({ type }) => own.has(type))
  const foreign = (base.status?.conditions ?? []).filter(({ type }) => !own.has(type))
  return { ...wanted, conditions: [...ours, ...foreign] }
}

const ownConditions = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled']

function newest(seen: Pod, written: Pod | undefined): Pod {
  if (!written) return seen
  const a = Number(seen.metadata.resourceVersion ?? 0)
  const b = Number(written.metadata.resourceVersion ?? 0)
  return a >= b ? seen : written
}
