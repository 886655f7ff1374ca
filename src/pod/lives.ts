import { setMaxListeners } from 'node:events'
import { abortable, type Clock, hasCode, type Logger } from '../base/index.ts'
import type { Container, Exit } from '../oci/index.ts'
import { nowNs } from './context.ts'
import type { ContainerExit, ContainerRecord } from './records.ts'
import type { PodStore } from './store.ts'

export interface LivesOptions {
  store: PodStore
  clock: Clock
  log: Logger
}

/** Between attempts to record an exit. */
const retryMs = 1000

interface Life {
  container: Container
  /** Resolves when the exit is on record. */
  recorded: Promise<void>
  /** Resolves when, besides, what it left is taken away. */
  ended: Promise<void>
  signalled: boolean
}

/**
 * Watches every running container until its exit is on record, and stops them. Several stops of one container act
 * as one: the stop signal is sent once, and SIGKILL at the earliest of their deadlines.
 */
export class Lives {
  readonly #options: LivesOptions
  readonly #lives = new Map<string, Life>()
  readonly #closing = new AbortController()

  constructor(options: LivesOptions) {
    this.#options = options
    setMaxListeners(0, this.#closing.signal) // one per running container
  }

  /** Begins to watch a container whose start is on record. */
  watch(id: string, container: Container): void {
    const recorded = this.#untilRecorded(id, container)
    const ended = recorded.then(() => this.#clean(id, container)).finally(() => this.#lives.delete(id))
    this.#lives.set(id, { container, recorded, ended, signalled: false })
    ended.catch((error) => {
      if (!this.#closing.signal.aborted)
        this.#options.log.error('container is no longer watched', { id, error })
    })
  }

  /** Returns after the exit is on record and nothing is left; at once for a container that does not run. */
  async stop(record: ContainerRecord, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const life = this.#lives.get(record.id)
    if (!life) return
    if (timeoutMs > 0 && !(await this.#graceful(record, life, timeoutMs, signal)))
      this.#options.log.debug('stop signal not obeyed in time', { id: record.id })
    if (this.#lives.get(record.id) !== life) return
    await this.#kill(life, 'SIGKILL')
    await abortable(life.ended, signal)
  }

  /** Kills it and returns once its exit is on record; what it left is being taken away then, until `cleaned` resolves. */
  async end({ id }: ContainerRecord): Promise<{ cleaned: Promise<void> }> {
    const life = this.#lives.get(id)
    if (!life) return { cleaned: Promise.resolve() }
    await this.#kill(life, 'SIGKILL')
    await life.recorded
    return { cleaned: life.ended }
  }

  /** Stops watching; the containers go on. */
  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.allSettled([...this.#lives.values()].map(({ ended }) => ended))
  }

  /** True when the container ended in time. */
  async #graceful(
    record: ContainerRecord,
    life: Life,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    if (!life.signalled) {
      life.signalled = true
      await this.#kill(life, record.stopSignal).catch((error: unknown) => {
        life.signalled = false // the next stop sends it
        throw error
      })
    }
    const timer = new AbortController()
    const late = this.#options.clock.sleep(timeoutMs, timer.signal).then(
      () => false,
      () => false,
    )
    try {
      return await abortable(Promise.race([life.ended.then(() => true), late]), signal)
    } finally {
      timer.abort()
    }
  }

  async #kill({ container }: Life, signal: string): Promise<void> {
    try {
      await container.kill(signal)
    } catch (error) {
      // It ended by itself in the meantime.
      if (!hasCode(error, 'FAILED_PRECONDITION') && !hasCode(error, 'NOT_FOUND')) throw error
    }
  }

  /** Rejects only when closed: what cannot be recorded now is tried again, for nobody else knows of it. */
  async #untilRecorded(id: string, container: Container): Promise<void> {
    const { clock, log } = this.#options
    const { signal } = this.#closing
    for (;;) {
      try {
        await this.record(id, recordedExit(await this.#wait(container, signal)))
        break
      } catch (error) {
        signal.throwIfAborted()
        log.error('the exit of a container is not recorded yet', { id, error })
        await clock.sleep(retryMs, signal)
      }
    }
  }

  /** Only after that: until the exit is in our ledger the runtime's own record is the only one. */
  async #clean(id: string, container: Container): Promise<void> {
    await container.delete({ force: true }).catch((error) => {
      this.#options.log.warn('an exited container was not cleaned up', { id, error })
    })
  }

  async #wait(container: Container, signal: AbortSignal): Promise<Exit> {
    try {
      return await container.wait({ signal })
    } catch (error) {
      if (!hasCode(error, 'NOT_FOUND')) throw error
      return lostExit(nowNs(this.#options.clock))
    }
  }

  async record(id: string, exit: ContainerExit): Promise<void> {
    const record = this.#options.store.findContainer(id)
    if (!record || record.exit) return
    await this.#options.store.changeContainer(id, (last) => ({ ...last, exit }), 'stopped')
  }
}

/** The exit of a container whose monitor can no longer tell it. */
export function lostExit(finishedAtNs: bigint): Exit {
  return { exitCode: 137, oomKilled: false, reason: 'MonitorLost', finishedAtNs }
}

export function recordedExit(exit: Exit): ContainerExit {
  const { exitCode, finishedAtNs } = exit
  if (exit.reason === 'MonitorLost')
    return {
      exitCode: 137,
      finishedAtNs,
      reason: 'MonitorLost',
      message: 'the monitor of the container was lost',
    }
  if (exit.oomKilled) return { exitCode, finishedAtNs, reason: 'OOMKilled', message: '' }
  return { exitCode, finishedAtNs, reason: exitCode === 0 ? 'Completed' : 'Error', message: '' }
}
