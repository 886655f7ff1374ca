import { type ChildProcess, spawn } from 'node:child_process'
import { once, setMaxListeners } from 'node:events'
import { existsSync, openSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { stringify } from 'yaml'
import { type CriClient, connectCri } from '../../cri/index.ts'
import {
  type ContainerConfig,
  ContainerState,
  type ContainerStatus,
  type DeepPartial,
  PodSandboxState,
  VersionRequest,
} from '../../cri/types.ts'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { openImageStore } from '../../src/image/index.ts'
import { busyboxPath, writeBusyboxImage } from './busybox-image.ts'
import { eventually } from './eventually.ts'
import { OwnMounts } from './own-mounts.ts'
import { type CommandResult, OwnNetwork, run } from './own-network.ts'
import { containerConfig, createRequest, podConfig, runRequest } from './pod-requests.ts'
import { serialRootTest } from './root.ts'

export const launcher = fileURLToPath(new URL('../../bin/keelson', import.meta.url))
/** What a caller that never gives up hands in. */
export const call = { signal: new AbortController().signal }
setMaxListeners(0, call.signal)

export interface EndpointOptions {
  /** Of the configuration file, besides names and places. */
  settings?: object
  /** Started by flags, which older versions know too, and not by a configuration file. */
  byFlags?: boolean
  /** It may be told to die: see fault-walk.ts. */
  faults?: boolean
  /** Words put before the program. */
  within?: readonly string[]
  /** Mounts file systems of its own below its directory: see own-mounts.ts. */
  mounts?: string
  /** Adds images to the OCI layout that is loaded. */
  images?: (layout: string) => Promise<void>
}

/**
 * `keelson cri` as its users start it, with a configuration file, in a network namespace of its own that stays while
 * the program comes and goes. Disposing it is `keelson down`.
 */
export class CriEndpoint implements AsyncDisposable {
  readonly instance: string
  readonly directory: string
  readonly network: OwnNetwork
  client!: CriClient
  #process: ChildProcess | undefined
  readonly #options: EndpointOptions
  #mounts: OwnMounts | undefined

  static async create(name: string, options: EndpointOptions = {}): Promise<CriEndpoint> {
    const directory = await mkdtemp(`/var/tmp/keelson-${name}-`)
    const network = await OwnNetwork.create()
    const endpoint = new CriEndpoint(`t${process.pid}${name}`.slice(0, 20), directory, network, options)
    if (options.mounts !== undefined) endpoint.#mounts = await OwnMounts.create(directory, options.mounts)
    await endpoint.configure({})
    await writeFile(endpoint.faultFile, '')
    return endpoint
  }

  /** As `create`, with busybox in its store, and running. */
  static async start(name: string, options: EndpointOptions = {}): Promise<CriEndpoint> {
    const endpoint = await CriEndpoint.create(name, options)
    await endpoint.loadBusybox()
    await endpoint.start(endpoint.faults)
    return endpoint
  }

  private constructor(instance: string, directory: string, network: OwnNetwork, options: EndpointOptions) {
    this.instance = instance
    this.directory = directory
    this.network = network
    this.#options = options
  }

  get runDirectory(): string {
    return join(this.directory, 'run')
  }
  get dataDirectory(): string {
    return join(this.directory, 'data')
  }
  get configPath(): string {
    return join(this.directory, 'cri.yaml')
  }
  get logPath(): string {
    return join(this.directory, 'cri.log')
  }
  get #placeFlags(): string[] {
    const { instance, dataDirectory, runDirectory } = this
    return ['--instance', instance, '--data-dir', dataDirectory, '--run-dir', runDirectory]
  }
  get socketPath(): string {
    return this.seen(join(this.runDirectory, 'cri.sock'))
  }
  /** A path of the endpoint's, for who is not among its mounts. */
  seen(path: string): string {
    return this.#mounts?.seen(path) ?? path
  }
  /** See src/cli/fault-point.ts. */
  get faultFile(): string {
    return join(this.directory, 'fault')
  }
  /** Environment of a program that looks there. */
  get faults(): Record<string, string> {
    return this.#options.faults ? { KEELSON_TEST_FAULT_FILE: this.faultFile } : {}
  }
  get runtime() {
    return this.client.runtime
  }

  /** What the next start reads, beside what the endpoint was made with. */
  async configure(settings: object): Promise<void> {
    const { instance, dataDirectory, runDirectory } = this
    const whole = { instance, dataDirectory, runDirectory, ...this.#options.settings, ...settings }
    await writeFile(this.configPath, stringify(whole))
  }

  /** A command in its network and among its mounts. */
  inside(...command: string[]): Promise<CommandResult> {
    return run(...this.network.enter(...(this.#mounts?.enter ?? []), ...command))
  }

  async loadBusybox(): Promise<void> {
    const layout = join(this.directory, 'image')
    await writeBusyboxImage(layout)
    await this.#options.images?.(layout)
    const dataDirectory = this.seen(join(this.dataDirectory, 'node/images'))
    await using store = await openImageStore({ dataDirectory, log: silentLogger, clock: systemClock })
    await store.load(layout)
  }

  /** Milliseconds from the start of the program until it answers. */
  async start(env: Record<string, string> = {}, program = launcher): Promise<number> {
    const [command, args] = this.network.enter(
      ...(this.#mounts?.enter ?? []),
      ...(this.#options.within ?? []),
      program,
      ...['cri', ...(this.#options.byFlags ? this.#placeFlags : ['--config', this.configPath])],
    )
    const log = openSync(this.logPath, 'a')
    const startedMs = performance.now()
    const child = spawn(command, args, {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...env },
    })
    this.#process = child
    const answers = () => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error('it ended at its start')
      return existsSync(this.socketPath)
    }
    try {
      // The socket of one that was killed is still there, and does not answer.
      await eventually('the endpoint serves', async () => answers() && (await this.#connect()), 30_000)
    } catch (cause) {
      throw new Error(`no endpoint: ${await readFile(this.logPath, 'utf8')}`, { cause })
    }
    return performance.now() - startedMs
  }

  async #connect(): Promise<boolean> {
    const client = connectCri(this.socketPath)
    try {
      await client.runtime.version(VersionRequest.create(), call)
      this.client = client
      return true
    } catch {
      client.close()
      return false
    }
  }

  get pid(): number {
    return this.#process?.pid ?? 0
  }

  /** Resolves when the program is no more. */
  async ended(): Promise<void> {
    const child = this.#process
    if (child && child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    this.client?.close()
    this.#process = undefined
  }

  async crash(): Promise<void> {
    this.#process?.kill('SIGKILL')
    await this.ended()
  }

  async stop(): Promise<void> {
    this.#process?.kill('SIGTERM')
    await this.ended()
  }

  async pod(name = 'web', more: Parameters<typeof podConfig>[1] = {}): Promise<string> {
    return (await this.runtime.runPodSandbox(runRequest(podConfig(name, more)), call)).podSandboxId
  }

  async create(podId: string, name: string, more: DeepPartial<ContainerConfig> = {}): Promise<string> {
    const config = containerConfig(name, {
      image: { image: 'busybox:test' },
      command: ['sleep', '1000'],
      ...more,
    })
    return (await this.runtime.createContainer(createRequest(podId, config), call)).containerId
  }

  async run(podId: string, name: string, more: DeepPartial<ContainerConfig> = {}): Promise<string> {
    const containerId = await this.create(podId, name, more)
    await this.runtime.startContainer({ containerId }, call)
    return containerId
  }

  async status(containerId: string): Promise<ContainerStatus> {
    const { status } = await this.runtime.containerStatus({ containerId, verbose: false }, call)
    if (!status) throw new Error('no status')
    return status
  }

  async exited(containerId: string): Promise<ContainerStatus> {
    return eventually('the container exits', async () => {
      const status = await this.status(containerId)
      return status.state === ContainerState.CONTAINER_EXITED && status
    })
  }

  async podIsReady(podSandboxId: string): Promise<boolean> {
    const { status } = await this.runtime.podSandboxStatus({ podSandboxId, verbose: false }, call)
    return status?.state === PodSandboxState.SANDBOX_READY
  }

  /** Of the container's first process. */
  async hostPid(containerId: string): Promise<number> {
    const { info } = await this.runtime.containerStatus({ containerId, verbose: true }, call)
    return JSON.parse(info['info'] ?? '{}').pid
  }

  async removePod(podSandboxId: string): Promise<void> {
    await this.runtime.stopPodSandbox({ podSandboxId }, call)
    await this.runtime.removePodSandbox({ podSandboxId }, call)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    const { code, stderr } = await this.inside(launcher, 'down', ...this.#placeFlags)
    if (code !== 0) throw new Error(`keelson down: ${stderr}`)
    await this.#mounts?.[Symbol.asyncDispose]()
    await this.network[Symbol.asyncDispose]()
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** A test with an endpoint of its own, alone in its file at its time. */
export function endpointTest(
  title: string,
  body: (t: ExecutionContext, endpoint: CriEndpoint) => Promise<void>,
  options: EndpointOptions = {},
): void {
  if (!existsSync(busyboxPath)) throw new Error('busybox-static is missing')
  serialRootTest(title, async (t) => {
    await using endpoint = await CriEndpoint.start('cri', options)
    try {
      await body(t, endpoint)
    } catch (error) {
      t.log((await readFile(endpoint.logPath, 'utf8')).split('\n').slice(-15).join('\n'))
      throw error
    }
  })
}
