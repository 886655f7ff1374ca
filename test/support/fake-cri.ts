/**
 * A container runtime in memory, for tests of those who drive one: sandboxes, containers and images with the states,
 * events and idempotence of CRI. Containers run until told otherwise:
 *
 *   const cri = new FakeCri(clock)
 *   cri.images.add('nginx:1.7.9')           // present; others must be in `cri.registry` to be pulled
 *   cri.exit(cri.running('nginx').id, 1)    // ends a run
 *   cri.programs.set('job', { exit: 0 })    // a container of this name ends as soon as it is started
 */

import type { Call, ImageService, RuntimeService } from '../../cri/service.ts'
import * as cri from '../../cri/types.ts'
import { type Clock, KeelsonError } from '../../src/base/index.ts'

export interface FakeProgram {
  /** Ends at once with this code. */
  exit?: number
  /** StartContainer fails with this message. */
  startError?: string
  /** Goes on after the stop signal until the kill. */
  ignoresStop?: boolean
}

export interface FakeSandbox {
  id: string
  config: cri.PodSandboxConfig
  ready: boolean
  createdAt: bigint
  ip: string
}

export interface FakeContainer {
  id: string
  sandboxId: string
  config: cri.ContainerConfig
  state: cri.ContainerState
  createdAt: bigint
  startedAt: bigint
  finishedAt: bigint
  exitCode: number
  reason: string
  /** Ends a StopContainer that waits. */
  ended: Promise<void>
  end: () => void
}

type Verb = keyof RuntimeService | keyof ImageService

export class FakeCri {
  readonly sandboxes = new Map<string, FakeSandbox>()
  readonly containers = new Map<string, FakeContainer>()
  /** References of the images on the node. */
  readonly images = new Set<string>()
  /** What can be pulled. */
  readonly registry = new Set<string>()
  /** What pulling these names fails with. */
  readonly pullFailures = new Map<string, KeelsonError>()
  /** By container name. */
  readonly programs = new Map<string, FakeProgram>()
  /** Every call that changes something, in order: `startContainer web`. */
  readonly calls: string[] = []
  /** Set to fail chosen calls. */
  refuse: ((verb: Verb, subject: string) => string | undefined) | undefined
  /** What exec answers, by command line. */
  exec: (command: string, containerId: string) => number = () => 0
  networkReady = true
  readonly runtime: RuntimeService
  readonly image: ImageService
  readonly #clock: Clock
  readonly #listeners = new Set<(event: cri.ContainerEventResponse) => void>()
  #sequence = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.runtime = unimplementedBut<RuntimeService>({
      version: async () => ({
        version: '0.1.0',
        runtimeName: 'fake',
        runtimeVersion: '1.0.0',
        runtimeApiVersion: 'v1',
      }),
      status: async () => cri.StatusResponse.fromPartial({ status: { conditions: this.#conditions() } }),
      updateRuntimeConfig: async () => ({}),
      runPodSandbox: async (request) => this.#runPodSandbox(request),
      stopPodSandbox: async ({ podSandboxId }) => this.#stopPodSandbox(podSandboxId),
      removePodSandbox: async ({ podSandboxId }) => this.#removePodSandbox(podSandboxId),
      podSandboxStatus: async ({ podSandboxId }) => ({
        status: this.#sandboxStatus(this.#sandbox(podSandboxId)),
        info: {},
        containersStatuses: [],
        timestamp: this.#nowNs(),
      }),
      listPodSandbox: async ({ filter }) => ({
        items: [...this.sandboxes.values()]
          .filter(({ config }) => selected(config.labels, filter?.labelSelector))
          .map((one) => ({ ...this.#sandboxStatus(one) })),
      }),
      createContainer: async (request) => this.#createContainer(request),
      startContainer: async ({ containerId }) => this.#startContainer(containerId),
      stopContainer: async ({ containerId, timeout }, call) =>
        this.#stopContainer(containerId, timeout, call),
      removeContainer: async ({ containerId }) => this.#removeContainer(containerId),
      listContainers: async ({ filter }) => ({
        containers: [...this.containers.values()]
          .filter(({ config }) => selected(config.labels, filter?.labelSelector))
          .map((one) => ({ ...this.#containerStatus(one), podSandboxId: one.sandboxId })),
      }),
      containerStatus: async ({ containerId }) => ({
        status: this.#containerStatus(this.#container(containerId)),
        info: {},
      }),
      execSync: async ({ containerId, cmd }) => ({
        stdout: Buffer.from(''),
        stderr: Buffer.from(''),
        exitCode: this.exec(cmd.join(' '), containerId),
      }),
      getContainerEvents: (_, call) => this.#events(call.signal),
    })
    this.image = unimplementedBut<ImageService>({
      listImages: async () => ({ images: [...this.images].map(image) }),
      imageStatus: async ({ image: spec }) => ({
        image: this.images.has(spec?.image ?? '') ? image(spec?.image ?? '') : undefined,
        info: {},
      }),
      pullImage: async ({ image: spec }) => this.#pullImage(spec?.image ?? ''),
    })
  }

  /** The newest run of a container of this name that runs. */
  running(name: string): FakeContainer {
    const found = this.runs(name).filter(({ state }) => state === cri.ContainerState.CONTAINER_RUNNING)
    const last = found.at(-1)
    if (!last) throw new Error(`no running container ${name}`)
    return last
  }

  /** All runs of this name, oldest first. */
  runs(name: string): FakeContainer[] {
    return [...this.containers.values()].filter(({ config }) => config.metadata?.name === name)
  }

  exit(id: string, exitCode: number, reason = exitCode === 0 ? 'Completed' : 'Error'): void {
    const container = this.#container(id)
    if (container.state === cri.ContainerState.CONTAINER_EXITED) return
    Object.assign(container, {
      state: cri.ContainerState.CONTAINER_EXITED,
      finishedAt: this.#nowNs(),
      exitCode,
      reason,
    })
    container.end()
    this.#tell(container, cri.ContainerEventType.CONTAINER_STOPPED_EVENT)
  }

  /** The sandbox dies under its containers. */
  killSandbox(id: string): void {
    const sandbox = this.#sandbox(id)
    sandbox.ready = false
    for (const one of this.#containersOf(id)) this.exit(one.id, 137)
    this.#emit(sandbox.id, cri.ContainerEventType.CONTAINER_STOPPED_EVENT, sandbox)
  }

  #runPodSandbox({ config }: cri.RunPodSandboxRequest): cri.RunPodSandboxResponse {
    if (!config) throw new KeelsonError('INVALID_ARGUMENT', 'no config')
    this.#called('runPodSandbox', config.metadata?.name ?? '')
    const number = ++this.#sequence
    const sandbox = {
      id: `sandbox${number}`,
      config,
      ready: true,
      createdAt: this.#nowNs(),
      ip: `10.42.0.${number}`,
    }
    this.sandboxes.set(sandbox.id, sandbox)
    this.#emit(sandbox.id, cri.ContainerEventType.CONTAINER_STARTED_EVENT, sandbox)
    return { podSandboxId: sandbox.id }
  }

  #stopPodSandbox(id: string): cri.StopPodSandboxResponse {
    const sandbox = this.sandboxes.get(id)
    if (!sandbox) return {}
    this.#called('stopPodSandbox', id)
    for (const one of this.#containersOf(id))
      if (one.state === cri.ContainerState.CONTAINER_RUNNING) this.exit(one.id, 137)
    sandbox.ready = false
    this.#emit(id, cri.ContainerEventType.CONTAINER_STOPPED_EVENT, sandbox)
    return {}
  }

  #removePodSandbox(id: string): cri.RemovePodSandboxResponse {
    const sandbox = this.sandboxes.get(id)
    if (!sandbox) return {}
    this.#called('removePodSandbox', id)
    for (const one of this.#containersOf(id)) this.containers.delete(one.id)
    this.sandboxes.delete(id)
    return {}
  }

  #createContainer({ podSandboxId, config }: cri.CreateContainerRequest): cri.CreateContainerResponse {
    if (!config) throw new KeelsonError('INVALID_ARGUMENT', 'no config')
    this.#sandbox(podSandboxId)
    const name = config.metadata?.name ?? ''
    this.#called('createContainer', name)
    let end = () => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    const container: FakeContainer = {
      id: `container${++this.#sequence}`,
      sandboxId: podSandboxId,
      config,
      state: cri.ContainerState.CONTAINER_CREATED,
      createdAt: this.#nowNs(),
      startedAt: 0n,
      finishedAt: 0n,
      exitCode: 0,
      reason: '',
      ended,
      end,
    }
    this.containers.set(container.id, container)
    this.#tell(container, cri.ContainerEventType.CONTAINER_CREATED_EVENT)
    return { containerId: container.id }
  }

  #startContainer(id: string): cri.StartContainerResponse {
    const container = this.#container(id)
    const name = container.config.metadata?.name ?? ''
    this.#called('startContainer', name)
    const program = this.programs.get(name) ?? {}
    if (container.state !== cri.ContainerState.CONTAINER_CREATED)
      throw new KeelsonError('FAILED_PRECONDITION', `container ${id} was started before`)
    if (program.startError) {
      this.exit(id, 128, 'StartError')
      throw new KeelsonError('INTERNAL', program.startError)
    }
    container.state = cri.ContainerState.CONTAINER_RUNNING
    container.startedAt = this.#nowNs()
    this.#tell(container, cri.ContainerEventType.CONTAINER_STARTED_EVENT)
    if (program.exit !== undefined) this.exit(id, program.exit)
    return {}
  }

  async #stopContainer(id: string, timeout: bigint, { signal }: Call): Promise<cri.StopContainerResponse> {
    const container = this.containers.get(id)
    if (!container) return {}
    const name = container.config.metadata?.name ?? ''
    this.#called('stopContainer', `${name} ${timeout}`)
    if (container.state === cri.ContainerState.CONTAINER_RUNNING) {
      if (!this.programs.get(name)?.ignoresStop) this.exit(id, 143)
      else if (timeout > 0n) {
        const gaveUp = new AbortController()
        const kill = this.#clock.sleep(Number(timeout) * 1000, AbortSignal.any([signal, gaveUp.signal]))
        await Promise.race([kill.catch(() => undefined), container.ended])
        gaveUp.abort()
      }
      this.exit(id, 137)
    }
    return {}
  }

  #removeContainer(id: string): cri.RemoveContainerResponse {
    if (this.containers.delete(id)) this.#called('removeContainer', id)
    return {}
  }

  async #pullImage(name: string): Promise<cri.PullImageResponse> {
    this.#called('pullImage', name)
    const failure = this.pullFailures.get(name)
    if (failure) throw failure
    if (!this.registry.has(name)) throw new KeelsonError('NOT_FOUND', `${name}: manifest unknown`)
    this.images.add(name)
    return { imageRef: `sha256:${name}` }
  }

  #conditions(): cri.RuntimeCondition[] {
    const network = { reason: this.networkReady ? '' : 'NetworkPluginNotReady', message: '' }
    return [
      { type: 'RuntimeReady', status: true, reason: '', message: '' },
      { type: 'NetworkReady', status: this.networkReady, ...network },
    ]
  }

  #called(verb: Verb, subject: string): void {
    const refusal = this.refuse?.(verb, subject)
    this.calls.push(`${verb} ${subject}`)
    if (refusal !== undefined) throw new KeelsonError('INTERNAL', refusal)
  }

  #sandbox(id: string): FakeSandbox {
    const found = this.sandboxes.get(id)
    if (!found) throw new KeelsonError('NOT_FOUND', `no sandbox ${id}`)
    return found
  }

  #container(id: string): FakeContainer {
    const found = this.containers.get(id)
    if (!found) throw new KeelsonError('NOT_FOUND', `no container ${id}`)
    return found
  }

  #containersOf(sandboxId: string): FakeContainer[] {
    return [...this.containers.values()].filter((one) => one.sandboxId === sandboxId)
  }

  #sandboxStatus(sandbox: FakeSandbox): cri.PodSandboxStatus {
    const { id, config, ready, createdAt, ip } = sandbox
    const { SANDBOX_READY, SANDBOX_NOTREADY } = cri.PodSandboxState
    return cri.PodSandboxStatus.fromPartial({
      id,
      metadata: config.metadata,
      state: ready ? SANDBOX_READY : SANDBOX_NOTREADY,
      createdAt,
      network: { ip, additionalIps: [] },
      labels: config.labels,
      annotations: config.annotations,
    })
  }

  #containerStatus(container: FakeContainer): cri.ContainerStatus {
    const { config, end: _, ended: __, sandboxId: ___, ...rest } = container
    return cri.ContainerStatus.fromPartial({
      ...rest,
      metadata: config.metadata,
      image: config.image,
      imageRef: config.image?.image ?? '',
      imageId: config.image?.image ?? '',
      labels: config.labels,
      annotations: config.annotations,
      mounts: config.mounts,
    })
  }

  #tell(container: FakeContainer, type: cri.ContainerEventType): void {
    this.#emit(container.id, type, this.sandboxes.get(container.sandboxId))
  }

  #emit(
    containerId: string,
    containerEventType: cri.ContainerEventType,
    sandbox: FakeSandbox | undefined,
  ): void {
    const event: cri.ContainerEventResponse = {
      containerId,
      containerEventType,
      createdAt: this.#nowNs(),
      podSandboxStatus: sandbox && this.#sandboxStatus(sandbox),
      containersStatuses: [],
    }
    for (const listener of this.#listeners) listener(event)
  }

  async *#events(signal: AbortSignal): AsyncIterable<cri.ContainerEventResponse> {
    const queue: cri.ContainerEventResponse[] = []
    let wake = () => {}
    const listener = (event: cri.ContainerEventResponse) => {
      queue.push(event)
      wake()
    }
    this.#listeners.add(listener)
    const stop = () => wake()
    signal.addEventListener('abort', stop)
    try {
      while (!signal.aborted) {
        for (let event = queue.shift(); event; event = queue.shift()) yield event
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    } finally {
      signal.removeEventListener('abort', stop)
      this.#listeners.delete(listener)
    }
  }

  #nowNs(): bigint {
    return BigInt(this.#clock.nowMs()) * 1_000_000n
  }
}

function image(name: string): cri.Image {
  return cri.Image.fromPartial({ id: `sha256:${name}`, repoTags: [name], size: 1000n })
}

function selected(labels: Record<string, string>, selector: Record<string, string> = {}): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value)
}

/** Methods that a test does not expect to be called say so. */
function unimplementedBut<T extends object>(methods: Partial<T>): T {
  return new Proxy(methods, {
    get: (target, name) =>
      Reflect.get(target, name) ??
      (() => {
        throw new KeelsonError('UNIMPLEMENTED', `the fake runtime has no ${String(name)}`)
      }),
  }) as T
}
