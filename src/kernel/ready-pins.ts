import type { Clock, Logger } from '../base/index.ts'
import type { ClaimablePins, NamespacePins, PinRequest } from './namespace-pins.ts'

/** What a ready set is made as, and how many there are. */
export interface ReadyPinsOptions {
  /** Of every set: network, IPC and UTS namespaces, a /dev/shm, and settings already written. */
  template: { shmSizeBytes: number; sysctls: Readonly<Record<string, string>> }
  count: number
  clock: Clock
  log: Logger
}

/**
 * Pins with a pool: a few sets of namespaces that are made beforehand, so that a request that fits the template only has to
 * be given its id, name and settings. Any other request, and any that finds the pool empty, is served as without one.
 *
 * - At most `count` are kept. One is made at a time, when nothing was asked for a little while, so that it does not take
 *   the processor from a pod that is just being made or removed; and at the latest some time after there is room.
 * - Nobody sees them: `list` leaves them out. What an earlier process left of them is removed at the start, and what
 *   there is when disposed, too.
 */
export async function keepReady(pins: ClaimablePins, options: ReadyPinsOptions): Promise<NamespacePins> {
  for (const id of await pins.list()) if (isReady(id)) await pins.remove(id)
  const pool = new ReadyPins(pins, options)
  pool.refillSoon()
  return pool
}

const prefix = 'ready-'
const refillDelayMs = 20
/** Where something is asked for all the time. */
const refillLatestMs = 100
const retryDelayMs = 10_000
/** What a request may speak of to be served from the pool. */
const known = new Set(['id', 'network', 'ipc', 'uts', 'shmSizeBytes', 'owner', 'sysctls'])

class ReadyPins implements NamespacePins {
  readonly #pins: ClaimablePins
  readonly #options: ReadyPinsOptions
  readonly #ready: string[] = []
  #made = 0
  #askedMs = 0
  #cancel: (() => void) | undefined
  #refill: Promise<void> | undefined
  #closed = false

  constructor(pins: ClaimablePins, options: ReadyPinsOptions) {
    this.#pins = pins
    this.#options = options
  }

  async create(request: PinRequest): Promise<void> {
    this.#asked()
    const from = this.#fits(request) ? this.#ready.shift() : undefined
    this.refillSoon()
    if (from === undefined || !(await this.#claim(from, request))) await this.#pins.create(request)
  }

  open: NamespacePins['open'] = (id, kind) => {
    this.#asked()
    return this.#pins.open(id, kind)
  }
  networkPath: NamespacePins['networkPath'] = (id) => this.#pins.networkPath(id)
  remove: NamespacePins['remove'] = (id) => {
    this.#asked()
    return this.#pins.remove(id)
  }

  async list(): Promise<string[]> {
    return (await this.#pins.list()).filter((id) => !isReady(id))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#cancel?.()
    await this.#refill
    await Promise.all(this.#ready.splice(0).map((id) => this.#pins.remove(id)))
    await this.#pins[Symbol.asyncDispose]()
  }

  refillSoon(delayMs = refillDelayMs): void {
    if (this.#closed || this.#cancel || this.#refill || this.#ready.length >= this.#options.count) return
    this.#refillWithin(delayMs, this.#options.clock.monotonicMs() + refillLatestMs)
  }

  #asked(): void {
    this.#askedMs = this.#options.clock.monotonicMs()
  }

  #refillWithin(delayMs: number, latestMs: number): void {
    const { clock } = this.#options
    this.#cancel = clock.after(delayMs, () => {
      this.#cancel = undefined
      const leftMs = Math.min(this.#askedMs + refillDelayMs, latestMs) - clock.monotonicMs()
      if (leftMs > 0) return this.#refillWithin(leftMs, latestMs)
      this.#refill = this.#makeOne().then((delay) => {
        this.#refill = undefined
        this.refillSoon(delay)
      })
    })
  }

  /** Answers how long to wait before the next. */
  async #makeOne(): Promise<number> {
    const { template, log } = this.#options
    const id = `${prefix}${process.pid}-${this.#made++}`
    try {
      await this.#pins.create({ id, network: true, ipc: true, uts: { hostname: 'localhost' }, ...template })
      this.#ready.push(id)
      return refillDelayMs
    } catch (error) {
      log.debug('no namespaces could be made ready', { error })
      return retryDelayMs
    }
  }

  async #claim(from: string, request: PinRequest): Promise<boolean> {
    const { sysctls = {}, ...rest } = request
    const more = Object.entries(sysctls).filter(
      ([name, value]) => this.#options.template.sysctls[name] !== value,
    )
    try {
      await this.#pins.claim(from, { ...rest, sysctls: Object.fromEntries(more) })
      return true
    } catch (error) {
      // A wrong setting fails in the same way, and with its own words, when all is made anew.
      this.#options.log.debug('namespaces that were ready could not be taken', { id: request.id, error })
      await this.#pins.remove(from)
      return false
    }
  }

  #fits(request: PinRequest): boolean {
    const { template } = this.#options
    const { network, ipc, uts, shmSizeBytes, owner, sysctls = {} } = request
    return (
      Object.keys(request).every((member) => known.has(member)) &&
      network &&
      ipc &&
      uts !== undefined &&
      shmSizeBytes === template.shmSizeBytes &&
      (owner === undefined || (owner.uid === 0 && owner.gid === 0)) &&
      Object.keys(template.sysctls).every((name) => name in sysctls)
    )
  }
}

function isReady(id: string): boolean {
  return id.startsWith(prefix)
}
