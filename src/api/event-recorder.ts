import { type Clock, hasCode, type Logger, WorkQueue } from '../base/index.ts'
import type { ApiClient } from './client.ts'
import { timestamp } from './meta.ts'
import type { KubernetesObject } from './resource-type.ts'
import { resources } from './resources.ts'
import type { Event, ObjectReference } from './types/index.ts'

export interface EventRecorderOptions {
  client: ApiClient
  clock: Clock
  log: Logger
  /** Who reports: `kubelet`, `default-scheduler`, `deployment-controller`. */
  component: string
  /** Node it reports from. */
  host?: string
  /** News wait this long before they are written, so that they do not compete with what they tell of; default 0. */
  delayMs?: number
}

export type EventType = 'Normal' | 'Warning'

interface Series {
  event: Event
  stored: boolean
  dirty: boolean
}

const seriesMax = 1000

/**
 * Writes Events (core v1) without making anybody wait. The same news of the same object again raises the count of
 * the one Event; at most 1,000 different ones are remembered, the oldest go first. News that cannot be written is
 * tried again a few times and then dropped: events are a courtesy, not state.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions
  readonly #series = new Map<string, Series>()
  readonly #queue: WorkQueue<string>
  #sequence = 0

  constructor(options: EventRecorderOptions) {
    this.#options = options
    this.#queue = new WorkQueue({
      clock: options.clock,
      concurrency: 4,
      worker: (key) => this.#write(key),
      onError: (key, error, attempt) => this.#failed(key, error, attempt),
    })
  }

  record(object: ObjectReference, type: EventType, reason: string, message: string): void {
    const key = JSON.stringify([
      object.uid,
      object.kind,
      object.name,
      object.fieldPath,
      type,
      reason,
      message,
    ])
    const now = timestamp(this.#options.clock.nowMs())
    const series = this.#series.get(key)
    if (series) {
      const waiting = series.dirty
      series.event = { ...series.event, count: (series.event.count ?? 1) + 1, lastTimestamp: now }
      series.dirty = true
      if (waiting) return // the write that is to come tells of this one too
    } else {
      this.#forgetOldest()
      this.#series.set(key, { event: this.#event(object, type, reason, message), stored: false, dirty: true })
    }
    const { delayMs = 0 } = this.#options
    if (delayMs === 0) this.#queue.add(key)
    else this.#queue.addAfter(key, delayMs)
  }

  /** Writes what waits, as far as the server takes it, and ends. */
  async close(): Promise<void> {
    const waiting = [...this.#series].filter(([, { dirty }]) => dirty)
    await Promise.allSettled(waiting.map(([key]) => this.#write(key)))
    await this.#queue.close()
  }

  #event(involvedObject: ObjectReference, type: EventType, reason: string, message: string): Event {
    const { clock, component, host } = this.#options
    const now = timestamp(clock.nowMs())
    const suffix = `${clock.nowMs().toString(16)}${(this.#sequence++).toString(16).padStart(4, '0')}`
    return {
      metadata: {
        name: `${involvedObject.name}.${suffix}`,
        namespace: involvedObject.namespace || 'default',
      },
      involvedObject,
      type,
      reason,
      message: message.slice(0, 1024),
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,
      source: { component, ...(host ? { host } : {}) },
      reportingComponent: component,
      reportingInstance: host ?? '',
    }
  }

  async #write(key: string): Promise<void> {
    const series = this.#series.get(key)
    if (!series?.dirty) return
    series.dirty = false
    const { client } = this.#options
    try {
      if (!series.stored) {
        await client.create(resources.events, series.event)
        series.stored = true
        return
      }
      const { name = '', namespace } = series.event.metadata
      const { count, lastTimestamp } = series.event
      await client.patch(
        resources.events,
        { namespace, name },
        { type: 'merge', patch: { count, lastTimestamp } },
      )
    } catch (error) {
      if (hasCode(error, 'NOT_FOUND'))
        this.#series.delete(key) // expired, or its namespace is gone
      else {
        series.dirty = true
        throw error
      }
    }
  }

  #failed(key: string, error: unknown, attempt: number): void {
    const refused = ['PERMISSION_DENIED', 'INVALID_ARGUMENT', 'FAILED_PRECONDITION'] as const
    if (attempt < 5 && !refused.some((code) => hasCode(error, code))) return
    this.#series.delete(key)
    this.#options.log.debug('event dropped', { event: key, error })
  }

  #forgetOldest(): void {
    if (this.#series.size < seriesMax) return
    const oldest = this.#series.keys().next()
    if (!oldest.done) this.#series.delete(oldest.value)
  }
}

/** How an Event names the object it is about; `fieldPath` narrows it, as in `spec.containers{web}`. */
export function referenceTo(object: KubernetesObject, fieldPath?: string): ObjectReference {
  const { name, namespace, uid, resourceVersion } = object.metadata
  const { apiVersion, kind } = object
  return { apiVersion, kind, name, namespace, uid, resourceVersion, ...(fieldPath ? { fieldPath } : {}) }
}
