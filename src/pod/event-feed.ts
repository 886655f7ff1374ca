import { type Clock, KeelsonError } from '../base/index.ts'

/** Kept while nobody listens; older ones go. */
const backlogMax = 1000
const backlogMs = 5 * 60_000
/** A listener that is this far behind is cut off. */
const lagMax = 10_000

/**
 * One source of events, any number of readers. What nobody was there to hear waits (bounded, and for five minutes) for
 * the first reader;
 * a reader that falls too far behind ends with RESOURCE_EXHAUSTED instead of holding memory.
 */
export class EventFeed<Event> {
  readonly #readers = new Set<Reader<Event>>()
  readonly #clock: Pick<Clock, 'monotonicMs'>
  #backlog: { event: Event; atMs: number }[] = []

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock
  }

  push(event: Event): void {
    if (this.#readers.size === 0) {
      this.#backlog.push({ event, atMs: this.#clock.monotonicMs() })
      this.#age()
    }
    for (const reader of this.#readers) reader.push(event)
  }

  #age(): void {
    const oldestMs = this.#clock.monotonicMs() - backlogMs
    const isOver = () => this.#backlog.length > backlogMax || (this.#backlog[0]?.atMs ?? oldestMs) < oldestMs
    while (isOver()) this.#backlog.shift()
  }

  async *read(signal: AbortSignal): AsyncGenerator<Event> {
    this.#age()
    const reader = new Reader<Event>(this.#backlog.map(({ event }) => event))
    this.#backlog = []
    this.#readers.add(reader)
    const wake = () => reader.wake()
    signal.addEventListener('abort', wake)
    try {
      while (!signal.aborted) {
        const event = reader.next()
        if (event === undefined) await reader.sleep()
        else yield event
      }
    } finally {
      signal.removeEventListener('abort', wake)
      this.#readers.delete(reader)
    }
  }
}

class Reader<Event> {
  #waiting: Event[]
  #lagging = false
  wake: () => void = () => {}

  constructor(backlog: readonly Event[]) {
    this.#waiting = [...backlog]
  }

  push(event: Event): void {
    if (this.#waiting.length >= lagMax) this.#lagging = true
    else this.#waiting.push(event)
    this.wake()
  }

  next(): Event | undefined {
    if (this.#lagging) throw new KeelsonError('RESOURCE_EXHAUSTED', 'the reader of events is too slow')
    return this.#waiting.shift()
  }

  sleep(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve
    })
  }
}
