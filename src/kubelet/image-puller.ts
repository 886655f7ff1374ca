import type { ImageService } from '../../cri/service.ts'
import * as cri from '../../cri/types.ts'
import type { Container, EventType } from '../api/index.ts'
import { asKeelsonError, type Clock, hasCode } from '../base/index.ts'
import { Backoff } from './backoff.ts'
import type { Waiting } from './pod-plan.ts'

export type ImageOutcome =
  | { state: 'ready'; imageRef: string }
  | { state: 'waiting'; waiting: Waiting; afterMs?: number }

export interface ImageRequest {
  uid: string
  container: Container
  sandboxConfig: cri.PodSandboxConfig
  auth: cri.AuthConfig | undefined
  event(type: EventType, reason: string, message: string): void
}

export interface ImagePullerOptions {
  image: ImageService
  clock: Clock
  signal: AbortSignal
  /** Told when a pull for this pod is over, well or not. */
  onDone(uid: string): void
}

interface Job {
  state: 'pulling' | 'done' | 'failed' | 'told'
  imageRef: string
  failedMs: number
  /** What the container shows of a failure. */
  reason: string
  message: string
}

/**
 * Brings images to the node, in the background: `ensure` answers at once whether the container may start, and
 * `onDone` says when to ask again. Pods that want the same image share one pull. A failure waits 10 s, doubling to
 * 300 s: the container shows what failed right after it and ImagePullBackOff until the next try.
 */
export class ImagePuller {
  readonly #options: ImagePullerOptions
  readonly #jobs = new Map<string, Job>()
  readonly #pulls = new Map<string, Promise<string>>()
  readonly #backoff = new Backoff()

  constructor(options: ImagePullerOptions) {
    this.#options = options
  }

  async ensure(request: ImageRequest): Promise<ImageOutcome> {
    const { container } = request
    const name = container.image ?? ''
    const key = jobKey(request)
    const job = this.#jobs.get(key)
    if (job?.state === 'pulling') return creating
    if (job?.state === 'done') {
      this.#jobs.delete(key)
      this.#backoff.forget(key)
      return { state: 'ready', imageRef: job.imageRef }
    }
    const policy = pullPolicy(container)
    const present = policy === 'Always' ? undefined : await this.#present(name)
    if (present !== undefined) {
      this.#jobs.delete(key)
      request.event('Normal', 'Pulled', `Container image "${name}" already present on machine`)
      return { state: 'ready', imageRef: present }
    }
    if (policy === 'Never') return neverPull(request, name)
    return (job && this.#backingOff(request, key, job)) ?? this.#begin(request, key)
  }

  /** Whether this container can only start after a pull. */
  async isNeeded(container: Container): Promise<boolean> {
    const policy = pullPolicy(container)
    if (policy !== 'IfNotPresent') return policy === 'Always'
    return (await this.#present(container.image ?? '')) === undefined
  }

  forget(uid: string): void {
    for (const key of this.#jobs.keys()) if (key.startsWith(`${uid}/`)) this.#jobs.delete(key)
    this.#backoff.forget(`${uid}/`)
  }

  async #present(name: string): Promise<string | undefined> {
    const { image, signal } = this.#options
    const request = { image: cri.ImageSpec.fromPartial({ image: name }), verbose: false }
    const found = await image.imageStatus(request, { signal })
    return found.image?.id
  }

  /** What a container shows after a failed pull, or undefined when it is time to try again. */
  #backingOff(request: ImageRequest, key: string, job: Job): ImageOutcome | undefined {
    const remainingMs = this.#backoff.remainingMs(key, job.failedMs, this.#options.clock.nowMs())
    if (remainingMs === 0) return undefined
    if (job.reason === invalidName)
      return {
        state: 'waiting',
        waiting: { reason: invalidName, message: job.message },
        afterMs: remainingMs,
      }
    const shownMs = job.failedMs + errorShownMs - this.#options.clock.nowMs()
    if (shownMs > 0) {
      const waiting = { reason: job.reason, message: job.message }
      return { state: 'waiting', waiting, afterMs: Math.min(shownMs, remainingMs) }
    }
    const text = `Back-off pulling image "${request.container.image}"`
    if (job.state !== 'told') {
      job.state = 'told'
      request.event('Normal', 'BackOff', text)
      request.event('Warning', 'Failed', 'Error: ImagePullBackOff')
    }
    const message = `${text}: ${job.message}`
    return { state: 'waiting', waiting: { reason: 'ImagePullBackOff', message }, afterMs: remainingMs }
  }

  #begin(request: ImageRequest, key: string): ImageOutcome {
    const { clock } = this.#options
    const job: Job = { state: 'pulling', imageRef: '', failedMs: 0, reason: '', message: '' }
    const failedBefore = this.#jobs.get(key)?.failedMs
    this.#jobs.set(key, job)
    request.event('Normal', 'Pulling', `Pulling image "${request.container.image}"`)
    void this.#run(request, job, clock.monotonicMs()).then(() => {
      if (job.state === 'failed') this.#backoff.next(key, failedBefore ?? clock.nowMs(), clock.nowMs())
      if (this.#jobs.get(key) === job) this.#options.onDone(request.uid)
    })
    return creating
  }

  async #run(request: ImageRequest, job: Job, beganMs: number): Promise<void> {
    const { clock } = this.#options
    const name = request.container.image ?? ''
    try {
      job.imageRef = await this.#shared(request)
      job.state = 'done'
      const ms = Math.round(clock.monotonicMs() - beganMs)
      const text = ms < 1000 ? `${ms}ms` : `${(ms / 1000).toFixed(3)}s`
      request.event('Normal', 'Pulled', `Successfully pulled image "${name}" in ${text}`)
    } catch (error) {
      job.state = 'failed'
      job.failedMs = clock.nowMs()
      job.reason = reasonOf(error)
      const { message } = asKeelsonError(error)
      job.message = `failed to pull image "${name}": ${message}`
      if (job.reason === invalidName)
        request.event('Warning', 'InspectFailed', `Failed to apply default image tag "${name}": ${message}`)
      else request.event('Warning', 'Failed', `Failed to pull image "${name}": ${message}`)
      request.event('Warning', 'Failed', `Error: ${job.reason}`)
    }
  }

  #shared({ container, sandboxConfig, auth }: ImageRequest): Promise<string> {
    const { image, signal } = this.#options
    const key = JSON.stringify([container.image, auth])
    const running = this.#pulls.get(key)
    if (running) return running
    const spec = cri.ImageSpec.fromPartial({ image: container.image ?? '' })
    const pull = image
      .pullImage({ image: spec, auth, sandboxConfig }, { signal })
      .then(({ imageRef }) => imageRef)
      .finally(() => this.#pulls.delete(key))
    this.#pulls.set(key, pull)
    return pull
  }
}

/** A failed pull shows its error this long before the container shows that it waits. */
const errorShownMs = 1000

/** No try will help but another name, so the container shows this all the time. */
const invalidName = 'InvalidImageName'

/** A pull's only argument is the name; who may be out of reach is the registry. */
function reasonOf(error: unknown): string {
  if (hasCode(error, 'INVALID_ARGUMENT')) return invalidName
  return hasCode(error, 'UNAVAILABLE') ? 'RegistryUnavailable' : 'ErrImagePull'
}

const creating: ImageOutcome = { state: 'waiting', waiting: { reason: 'ContainerCreating' } }

function jobKey({ uid, container }: ImageRequest): string {
  return `${uid}/${container.name}/${container.image}`
}

function neverPull(request: ImageRequest, name: string): ImageOutcome {
  const message = `Container image "${name}" is not present with pull policy of Never`
  request.event('Warning', 'ErrImageNeverPull', message)
  return { state: 'waiting', waiting: { reason: 'ErrImageNeverPull', message }, afterMs: 10_000 }
}

/** The API server sets the default; an object without it is read as upstream would default it. */
function pullPolicy({ image = '', imagePullPolicy }: Container): string {
  if (imagePullPolicy) return imagePullPolicy
  const tag = image.includes('@') ? 'digest' : (/:([^/:]+)$/.exec(image)?.[1] ?? 'latest')
  return tag === 'latest' ? 'Always' : 'IfNotPresent'
}
