import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { RuntimeService } from '../../cri/service.ts'
import * as cri from '../../cri/types.ts'
import type { Container, Pod } from '../api/index.ts'
import { asKeelsonError, Cleanup, type Clock } from '../base/index.ts'
import type { Backoff } from './backoff.ts'
import { containerConfig, defaultTerminationMessagePath } from './container-config.ts'
import { containerEnvironment } from './environment.ts'
import { runAction } from './handler.ts'
import type { ImagePuller } from './image-puller.ts'
import type { NodeFacts } from './node-facts.ts'
import type { PodEvents } from './pod-events.ts'
import { identityOf } from './pod-identity.ts'
import type { PodMemory } from './pod-memory.ts'
import type { StartStep, Waiting } from './pod-plan.ts'
import type { ContainerRun, SandboxRun } from './pod-runtime.ts'
import type { PodSources } from './pod-sources.ts'
import { endedMs, restartKey } from './restart.ts'
import { makeMessageFile } from './termination-message.ts'
import { type VolumePlace, volumeMounts } from './volumes/volume-manager.ts'

/** One wish to start a container, with all that belongs to its pod at this moment. */
export interface StartRequest {
  pod: Pod
  step: StartStep
  /** The newest run of the container, which ended. */
  before: ContainerRun | undefined
  sandbox: SandboxRun
  sandboxConfig: cri.PodSandboxConfig
  places: ReadonlyMap<string, VolumePlace>
  memory: PodMemory
}

export type StartOutcome = { state: 'started' } | { state: 'waiting'; waiting: Waiting; afterMs?: number }

export interface ContainerStarterOptions {
  runtime: RuntimeService
  images: ImagePuller
  sources: PodSources
  restarts: Backoff
  events: PodEvents
  node: NodeFacts
  clock: Clock
  signal: AbortSignal
  /** A postStart hook ended: well, or with the reason why its container must go. */
  onHook(pod: Pod, container: Container, runId: string, failure: string | undefined): void
}

/** Image, configuration, CreateContainer, StartContainer, postStart: what lies between a plan's step and a run. */
export class ContainerStarter {
  readonly #options: ContainerStarterOptions

  constructor(options: ContainerStarterOptions) {
    this.#options = options
  }

  async start(request: StartRequest): Promise<StartOutcome> {
    const waiting = this.#afterFailure(request)
    if (waiting) return waiting
    const { step, memory, pod } = request
    const { container, existing } = step
    if (existing) return this.#run(request, existing.id)
    const image = await this.ensureImage(pod, container, request.sandboxConfig)
    if (image.state === 'waiting') return image
    await using undo = new Cleanup() // a subPath stays open until the container has mounted it
    const config = await this.#config(request, image.imageRef, undo).catch((error: unknown) =>
      asKeelsonError(error),
    )
    if (config instanceof Error) return this.#failed(request, 'CreateContainerConfigError', config.message)
    const id = await this.#create(request, config).catch((error: unknown) => asKeelsonError(error))
    if (typeof id !== 'string') return this.#failed(request, 'CreateContainerError', id.message)
    memory.failures.delete(container.name)
    this.#event(request, 'Normal', 'Created', `Created container: ${container.name}`)
    return await this.#run(request, id) // awaited here: what `undo` holds is needed until it is started
  }

  /** Whether the container's image is here; begins to pull it if not. */
  ensureImage(pod: Pod, container: Container, config: cri.PodSandboxConfig) {
    const { images, events, sources } = this.#options
    return images.ensure({
      uid: identityOf(pod).uid,
      container,
      sandboxConfig: config,
      auth: sources.pullCredentials(pod, container.image ?? ''),
      event: (type, reason, message) => events.container(pod, container.name, type, reason, message),
    })
  }

  /** Begins to pull the container's image where it must be pulled; the start will ask again. */
  async prepareImage(pod: Pod, container: Container, config: cri.PodSandboxConfig): Promise<void> {
    const { images } = this.#options
    if (await images.isNeeded(container)) await this.ensureImage(pod, container, config)
  }

  /** A start that failed before there was a run waits for its back-off. */
  #afterFailure({ step, memory }: StartRequest): StartOutcome | undefined {
    const { name } = step.container
    const failure = memory.failures.get(name)
    if (!failure) return undefined
    const afterMs = memory.retries.remainingMs(name, failure.atMs, this.#options.clock.nowMs())
    const { reason, message } = failure
    return afterMs > 0 ? { state: 'waiting', waiting: waitingFor(reason, message), afterMs } : undefined
  }

  #failed(request: StartRequest, reason: string, message: string): StartOutcome {
    const { memory, step } = request
    const { name } = step.container
    const nowMs = this.#options.clock.nowMs()
    memory.retries.next(name, memory.failures.get(name)?.atMs ?? nowMs, nowMs)
    memory.failures.set(name, { reason, message, atMs: nowMs })
    this.#event(request, 'Warning', 'Failed', `Error: ${message}`)
    return { state: 'waiting', waiting: waitingFor(reason, message), afterMs: memory.retries.delayMs(name) }
  }

  async #config(request: StartRequest, imageRef: string, undo: Cleanup): Promise<cri.ContainerConfig> {
    const { sources, node } = this.#options
    const { pod, step, sandbox, places } = request
    const environment = containerEnvironment(pod, step.container, sources.environment(pod, sandbox.ips))
    const logFolder = join(request.sandboxConfig.logDirectory, step.container.name)
    const [mounts, ownMounts] = await Promise.all([
      volumeMounts(step.container, places, environment, undo),
      this.#ownMounts(request),
      mkdir(logFolder, { recursive: true, mode: 0o755 }),
    ])
    return containerConfig(pod, step.container, step.attempt, {
      imageRef,
      environment,
      mounts: [...mounts, ...ownMounts],
      memoryCapacityBytes: node.memoryCapacityBytes,
      seccompDirectory: node.seccompDirectory,
    })
  }

  /** /etc/hosts and the termination message file, unless the container mounts something there itself. */
  async #ownMounts({ pod, step, sandbox }: StartRequest): Promise<cri.Mount[]> {
    const { sources } = this.#options
    const { container, attempt } = step
    const taken = new Set(container.volumeMounts?.map(({ mountPath }) => mountPath))
    const messagePath = container.terminationMessagePath ?? defaultTerminationMessagePath
    const file = join(sources.podDirectory(pod), 'containers', container.name, `${attempt}.message`)
    const mounts: (Promise<cri.Mount> | undefined)[] = [
      taken.has('/etc/hosts') ? undefined : ownMount('/etc/hosts', sources.hostsFile(pod, sandbox.ips)),
      taken.has(messagePath) ? undefined : ownMount(messagePath, makeMessageFile(file)),
    ]
    return Promise.all(mounts.filter((one) => one !== undefined))
  }

  async #create({ sandbox, sandboxConfig }: StartRequest, config: cri.ContainerConfig): Promise<string> {
    const { runtime, signal } = this.#options
    const { containerId } = await runtime.createContainer(
      { podSandboxId: sandbox.id, config, sandboxConfig },
      { signal },
    )
    return containerId
  }

  async #run(request: StartRequest, containerId: string): Promise<StartOutcome> {
    const { runtime, signal, restarts, clock } = this.#options
    const { pod, step, before, memory } = request
    const { container } = step
    if (before) restarts.next(restartKey(identityOf(pod).uid, container.name), endedMs(before), clock.nowMs())
    try {
      if (container.lifecycle?.postStart) memory.inPostStart.add(containerId)
      await runtime.startContainer({ containerId }, { signal })
    } catch (error) {
      const { message } = asKeelsonError(error)
      memory.inPostStart.delete(containerId)
      memory.startFailed.set(containerId, message)
      this.#event(request, 'Warning', 'Failed', `Error: ${message}`)
      // There is a run now, though a failed one: the plan decides with restart policy and back-off what follows.
      return { state: 'waiting', waiting: { reason: 'RunContainerError', message }, afterMs: 0 }
    }
    this.#event(request, 'Normal', 'Started', `Started container ${container.name}`)
    if (container.lifecycle?.postStart) void this.#postStart(request, containerId)
    return { state: 'started' }
  }

  async #postStart({ pod, step, sandbox }: StartRequest, containerId: string): Promise<void> {
    const { signal, onHook } = this.#options
    const { container } = step
    const hook = container.lifecycle?.postStart
    if (!hook) return
    const target = { pod, container, containerId, podIP: sandbox.ips[0] }
    const { ok, detail } = await runAction(hook, target, hookTimeoutMs, this.#options, signal).catch(() => ({
      ok: true, // we are going down; whoever comes after us cannot know more than that it began
      detail: '',
    }))
    onHook(pod, container, containerId, ok ? undefined : detail)
  }

  #event({ pod, step }: StartRequest, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#options.events.container(pod, step.container.name, type, reason, message)
  }
}

/** Upstream lets a hook run as long as the container lives; a bound keeps a forgotten one from holding the pod. */
const hookTimeoutMs = 3_600_000

async function ownMount(containerPath: string, file: Promise<string>): Promise<cri.Mount> {
  return cri.Mount.fromPartial({ containerPath, hostPath: await file })
}

function waitingFor(reason: string, message: string | undefined): Waiting {
  return message === undefined ? { reason } : { reason, message }
}
