import { KeelsonError } from '../../src/base/index.ts'
import type { NamespacePins, PinRequest } from '../../src/kernel/index.ts'
import type { PodDns, PodNetwork, PodNetworkRequest, PodNetworkResult } from '../../src/network/index.ts'
import type {
  Container,
  ContainerState,
  CreateRequest,
  Execution,
  Exit,
  LinuxResources,
  RestoredCreate,
  Runtime,
  Spec,
} from '../../src/oci/index.ts'
import { FakeImages } from './fake-images.ts'
import { FakeStreaming } from './fake-streaming.ts'

/** What src/pod stands on, in memory: it outlives a pod service, as the kernel does. */
export class FakePodHost {
  readonly runtime = new FakeRuntime()
  readonly pins = new FakePins()
  readonly network = new FakeNetwork()
  readonly images = new FakeImages()
  readonly streaming = new FakeStreaming()
}

export class FakeRuntime implements Runtime {
  readonly containers = new Map<string, FakeContainer>()
  readonly requests: CreateRequest[] = []
  /** Makes the next create fail. */
  failure: Error | undefined
  /** Signals a container ignores. */
  ignored: string[] = []

  async create(request: CreateRequest): Promise<Container> {
    this.requests.push(request)
    const { failure } = this
    this.failure = undefined
    if (failure) throw failure
    const made = new FakeContainer(this, request.id)
    this.containers.set(request.id, made)
    return made
  }

  async restore(request: RestoredCreate): Promise<Container> {
    const made = await this.create(request)
    await made.start()
    return made
  }

  async get(id: string): Promise<Container> {
    const found = this.containers.get(id)
    if (found) return found
    throw new KeelsonError('NOT_FOUND', `no container ${id}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async find(id: string): Promise<Container | undefined> {
    return this.containers.get(id)
  }

  async remove(id: string): Promise<void> {
    this.containers.delete(id)
  }

  async list(): Promise<Container[]> {
    return [...this.containers.values()]
  }

  container(id: string): FakeContainer {
    const found = this.containers.get(id)
    if (!found) throw new Error(`no container ${id}`)
    return found
  }
}

export class FakeContainer implements Container {
  readonly id: string
  readonly signals: (string | number)[] = []
  readonly updates: LinuxResources[] = []
  updateFailure: Error | undefined
  status: ContainerState['status'] = 'created'
  exit: Exit | undefined
  /** What the next exec gives. */
  execution: Execution | undefined
  readonly #runtime: FakeRuntime
  readonly #waiting: ((exit: Exit) => void)[] = []

  constructor(runtime: FakeRuntime, id: string) {
    this.id = id
    this.#runtime = runtime
  }

  end(exitCode: number, more: Partial<Exit> = {}): void {
    this.status = 'stopped'
    this.exit = { exitCode, oomKilled: false, finishedAtNs: 99n, ...more }
    for (const resolve of this.#waiting.splice(0)) resolve(this.exit)
  }

  async state(): Promise<ContainerState> {
    const common = {
      ociVersion: '1.2.0',
      id: this.id,
      status: this.status,
      pid: 1,
      bundle: '/',
      annotations: {},
    }
    return { ...common, createdAtNs: 1n, startedAtNs: 2n, ...(this.exit ? { exit: this.exit } : {}) }
  }

  async stats(): Promise<never> {
    throw new Error('not counted')
  }

  async *events(): AsyncGenerator<never> {}

  async start(): Promise<void> {
    this.status = 'running'
  }

  async kill(signal: string | number): Promise<void> {
    if (this.exit) throw new KeelsonError('FAILED_PRECONDITION', 'it does not run')
    this.signals.push(signal)
    if (!this.#runtime.ignored.includes(String(signal))) this.end(signal === 'SIGKILL' ? 137 : 0)
  }

  wait({ signal }: { signal?: AbortSignal } = {}): Promise<Exit> {
    if (this.exit) return Promise.resolve(this.exit)
    return new Promise((resolve, reject) => {
      this.#waiting.push(resolve)
      signal?.addEventListener('abort', () => reject(signal.reason))
    })
  }

  async delete(): Promise<void> {
    this.#runtime.containers.delete(this.id)
  }

  async spec(): Promise<Spec> {
    return { ociVersion: '1.2.0' }
  }

  /** What the next checkpoint does in place of criu. */
  dump = async (_options: { imagePath: string; signal?: AbortSignal }): Promise<void> => {}

  async checkpoint(options: { imagePath: string; signal?: AbortSignal }): Promise<void> {
    await this.dump(options)
  }

  async pause(): Promise<void> {
    this.status = 'paused'
  }

  async resume(): Promise<void> {
    this.status = 'running'
  }

  async exec(): Promise<Execution> {
    if (this.execution) return this.execution
    throw new Error('no execution was prepared')
  }

  prepareExec(): never {
    throw new Error('not in this fake')
  }

  async pids(): Promise<number[]> {
    return []
  }

  async update(resources: LinuxResources): Promise<void> {
    if (this.updateFailure) throw this.updateFailure
    this.updates.push(resources)
  }

  async reopenLog(): Promise<void> {}
  async resize(): Promise<void> {}

  attach(): never {
    throw new Error('not in this fake')
  }
}

export class FakePins implements NamespacePins {
  readonly pinned = new Map<string, PinRequest>()

  async create(request: PinRequest): Promise<void> {
    this.pinned.set(request.id, request)
  }

  async open(id: string) {
    if (!this.pinned.has(id)) throw new KeelsonError('NOT_FOUND', `${id} is not pinned`)
    return { fd: 1000, [Symbol.dispose]() {} }
  }

  networkPath(id: string): string {
    return `/run/keelson/netns/${id}/network`
  }

  async remove(id: string): Promise<void> {
    this.pinned.delete(id)
  }

  async list(): Promise<string[]> {
    return [...this.pinned.keys()]
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

export class FakeNetwork implements PodNetwork {
  readonly leases = new Map<string, PodNetworkResult>()
  readonly requests: PodNetworkRequest[] = []
  readonly abandoned: string[] = []
  failure: Error | undefined
  tearDownFailure: Error | undefined
  podCidrs: readonly string[] = []
  /** What the network says of names. */
  dns: PodDns | undefined
  /** Resolves when the network may be set up. */
  gate: Promise<void> = Promise.resolve()
  /** Resolves when it may be taken down. */
  tearDownGate: Promise<void> = Promise.resolve()

  async setUp(request: PodNetworkRequest): Promise<PodNetworkResult> {
    this.requests.push(request)
    await this.gate
    if (this.failure) throw this.failure
    const result = {
      addresses: [`10.42.0.${this.requests.length}`],
      ...(this.dns ? { dns: this.dns } : {}),
    }
    this.leases.set(request.sandboxId, result)
    return result
  }

  async tearDown(sandboxId: string): Promise<void> {
    await this.tearDownGate
    if (this.tearDownFailure) throw this.tearDownFailure
    this.leases.delete(sandboxId)
  }

  async abandon(sandboxId: string): Promise<void> {
    this.abandoned.push(sandboxId)
    await this.tearDown(sandboxId).catch(() => undefined)
  }

  find(sandboxId: string): PodNetworkResult | undefined {
    return this.leases.get(sandboxId)
  }

  list(): string[] {
    return [...this.leases.keys()]
  }

  async check(): Promise<void> {}
  async collect(): Promise<void> {}

  setPodCidrs(podCidrs: readonly string[]): void {
    this.podCidrs = podCidrs
  }

  async status() {
    return { ready: true, reason: '', message: '' }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
