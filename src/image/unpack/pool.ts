import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { type Clock, KeelsonError } from '../../base/index.ts'
import type { Unpacked } from './layer.ts'
import type { UnpackLimits } from './limits.ts'
import { type FromWorker, fromPlain, type ToWorker } from './protocol.ts'

export interface UnpackJob {
  kind: 'layer' | 'archive'
  /** The archive, open for reading until the result is there; it may still be growing. */
  fd: number
  /** An empty directory. */
  directory: string
  limits: UnpackLimits
}

/** A job in progress. `grown` says how much of the file may be read; the result comes after `complete`. */
export interface Unpacking {
  grown(bytes: number, complete: boolean): void
  abort(): void
  readonly result: Promise<Unpacked>
}

const idleMs = 10_000
/** For a thread that was told to stop. */
const graceMs = 5_000

/**
 * Threads that unpack, as many as there are processors, each started when needed and ended after a while without
 * work. Unpacking is a long row of blocking calls; here it blocks nobody.
 */
export class UnpackPool implements AsyncDisposable {
  readonly #clock: Clock
  readonly #startWorker: () => Worker
  readonly #idle: Worker[] = []
  readonly #waiting: ((worker: Worker) => void)[] = []
  #workers = 0
  #jobs = 0
  #cancelIdle: (() => void) | undefined
  #closed = false

  constructor(clock: Clock, start = startWorker) {
    this.#clock = clock
    this.#startWorker = start
  }

  start(job: UnpackJob): Unpacking {
    const number = this.#jobs++
    const early: ToWorker[] = []
    const stop = new AbortController()
    let post = (message: ToWorker): void => void early.push(message)
    const result = this.#acquire().then(async (worker) => {
      worker.postMessage({ ...job, job: number } satisfies ToWorker)
      post = (message) => worker.postMessage(message)
      for (const message of early) post(message)
      using _grace = this.#endLate(worker, stop.signal)
      return await this.#finish(worker, stop.signal)
    })
    result.catch(() => undefined) // whoever aborts may never look at the result
    return {
      result,
      grown: (bytes, complete) => post({ kind: 'grown', job: number, bytes, complete }),
      abort: () => {
        post({ kind: 'abort', job: number })
        stop.abort()
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#cancelIdle?.()
    await Promise.all(this.#idle.splice(0).map((worker) => worker.terminate()))
  }

  async #acquire(): Promise<Worker> {
    if (this.#closed) throw new KeelsonError('FAILED_PRECONDITION', 'the image store is closed')
    const idle = this.#idle.pop()
    if (idle) return idle
    if (this.#workers >= Math.max(2, availableParallelism()))
      return await new Promise((resolve) => this.#waiting.push(resolve))
    this.#workers += 1
    return this.#startWorker()
  }

  /**
   * A thread that does not stop when it is told to is ended: nothing that an archive does to it may hold up whoever
   * cancels a pull or closes the store. What it had open in the tree stays open, hence only then.
   */
  #endLate(worker: Worker, signal: AbortSignal): Disposable {
    let cancel: () => void = () => undefined
    const begin = () => {
      cancel = this.#clock.after(graceMs, () => void worker.terminate())
    }
    if (signal.aborted) begin()
    else signal.addEventListener('abort', begin, { once: true })
    return {
      [Symbol.dispose]: () => {
        signal.removeEventListener('abort', begin)
        cancel()
      },
    }
  }

  async #finish(worker: Worker, stop: AbortSignal): Promise<Unpacked> {
    worker.ref()
    let outcome: FromWorker
    try {
      outcome = await answerOf(worker)
    } catch (error) {
      this.#replace()
      throw stop.aborted ? new KeelsonError('CANCELLED', 'cancelled', { cause: error }) : error
    }
    worker.unref()
    this.#release(worker)
    if (outcome.kind === 'failed') throw fromPlain(outcome.error)
    return outcome.unpacked
  }

  /** A thread died; whoever waits for it gets a new one. */
  #replace(): void {
    const next = this.#waiting.shift()
    if (next) next(this.#startWorker())
    else this.#workers -= 1
  }

  #release(worker: Worker): void {
    const next = this.#waiting.shift()
    if (next) next(worker)
    else if (this.#closed) void worker.terminate()
    else this.#rest(worker)
  }

  #rest(worker: Worker): void {
    this.#idle.push(worker)
    this.#cancelIdle?.()
    this.#cancelIdle = this.#clock.after(idleMs, () => {
      for (const unused of this.#idle.splice(0)) {
        this.#workers -= 1
        void unused.terminate()
      }
    })
  }
}

/** Beside this file in src and in dist; in the bundle by its name there, beside the chunks' folder. */
const workerPlaces = ['./worker.ts', './worker.js', './unpack-worker.js', '../unpack-worker.js']

function startWorker(): Worker {
  const url = workerPlaces
    .map((place) => new URL(place, import.meta.url))
    .find((place) => existsSync(fileURLToPath(place)))
  if (!url) throw new KeelsonError('INTERNAL', 'the unpack thread is missing from this installation')
  const worker = new Worker(url, {
    trackUnmanagedFds: false, // tree files are opened by the addon, and each is closed by its owner
    execArgv: url.pathname.endsWith('.ts') ? ['--import', sourceLoader()] : [],
  })
  worker.unref()
  return worker
}

/** What lets a thread read TypeScript when we run from source: tsx registers itself in main threads only. */
function sourceLoader(): string {
  const api = JSON.stringify(import.meta.resolve('tsx/esm/api'))
  return `data:text/javascript,${encodeURIComponent(`import { register } from ${api}; register()`)}`
}

function answerOf(worker: Worker): Promise<FromWorker> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      worker.off('message', done)
      worker.off('error', died)
      worker.off('exit', exited)
    }
    const done = (answer: FromWorker) => {
      stop()
      resolve(answer)
    }
    const died = (error: unknown) => {
      stop()
      const why = error instanceof Error ? error.message : String(error)
      reject(new KeelsonError('INTERNAL', `an unpack thread failed: ${why}`, { cause: error }))
    }
    const exited = () => died(new Error('it ended'))
    worker.on('message', done)
    worker.on('error', died)
    worker.on('exit', exited)
  })
}
