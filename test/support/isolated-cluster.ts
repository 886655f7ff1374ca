import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ApiClient, createHttpTransport, readKubeconfig } from '../../src/api/index.ts'
import { eventually } from './eventually.ts'
import { type CommandResult, OwnNetwork, type RunOptions } from './own-network.ts'
import { type Registry, startRegistry } from './registry.ts'
import { pushWebImage } from './web-image.ts'

const launcher = fileURLToPath(new URL('../../bin/keelson', import.meta.url))
export const manifestPath = fileURLToPath(new URL('../../examples/nginx-deployment.yaml', import.meta.url))
export const servicePath = fileURLToPath(new URL('../../examples/nginx-service.yaml', import.meta.url))

/** Where `kubectl` or `curl` would say so little: what the part of a pod looks like that tests ask for. */
export interface PodSeen {
  metadata: { name: string; uid: string; deletionTimestamp?: string }
  status: {
    phase?: string
    podIP?: string
    conditions?: { type: string; status: string }[]
    containerStatuses?: {
      containerID?: string
      restartCount: number
      ready: boolean
      state?: { waiting?: { reason?: string; message?: string }; running?: { startedAt: string } }
      lastState?: { terminated?: { exitCode: number; reason?: string; message?: string } }
    }[]
  }
}

/**
 * A cluster driven through the real program, in a network namespace of its own that stands for the host's, with its
 * own instance name and directories: any number of them, and a user's cluster, live side by side. Disposing it is
 * `keelson down` and the removal of its directories.
 */
export class IsolatedCluster implements AsyncDisposable {
  readonly instance: string
  readonly directory: string
  readonly network: OwnNetwork
  #registry: Registry | undefined

  static async create(name: string): Promise<IsolatedCluster> {
    const directory = await mkdtemp(`/var/tmp/keelson-${name}-`)
    return new IsolatedCluster(`t${process.pid}${name}`.slice(0, 20), directory, await OwnNetwork.create())
  }

  /** As `create`, with a registry that has the web image under the name of the example's, and the cluster up. */
  static async start(name: string): Promise<IsolatedCluster> {
    const cluster = await IsolatedCluster.create(name)
    try {
      await cluster.serveImages()
      await cluster.up()
      return cluster
    } catch (error) {
      await cluster[Symbol.asyncDispose]().catch(() => undefined)
      throw error
    }
  }

  private constructor(instance: string, directory: string, network: OwnNetwork) {
    this.instance = instance
    this.directory = directory
    this.network = network
  }

  get dataDirectory(): string {
    return join(this.directory, 'data')
  }

  get runDirectory(): string {
    return join(this.directory, 'run')
  }

  get kubeconfig(): string {
    return join(this.dataDirectory, 'admin.kubeconfig')
  }

  get flags(): string[] {
    return [
      ...['--instance', this.instance, '--node-name', 'node-1'],
      ...['--data-dir', this.dataDirectory, '--run-dir', this.runDirectory],
    ]
  }

  /** Its registry, after `serveImages`. */
  get registry(): Registry {
    if (this.#registry === undefined) throw new Error('the cluster has no registry')
    return this.#registry
  }

  get registriesFile(): string {
    return join(this.directory, 'registries.yaml')
  }

  /** A registry in the cluster's network, the mirror of docker.io, with `nginx:1.7.9` (a busybox web server). */
  async serveImages(): Promise<Registry> {
    this.#registry = await startRegistry({ network: this.network })
    await pushWebImage(this.#registry)
    const mirrors = { 'docker.io': { endpoints: [`http://${this.#registry.host}`], onlyMirrors: true } }
    await writeFile(this.registriesFile, JSON.stringify(mirrors))
    return this.#registry
  }

  /** Runs `keelson COMMAND` with this cluster's flags and waits for its end, whatever it is. */
  keelson(command: string, ...args: string[]): Promise<CommandResult> {
    return this.network.run(launcher, [command, ...this.flags, ...args])
  }

  async up(...args: string[]): Promise<CommandResult> {
    const registries = this.#registry ? ['--registries', this.registriesFile] : []
    const result = await this.keelson('up', '-d', ...registries, ...args)
    if (result.code !== 0) throw new Error(`keelson up: ${result.stderr}${await this.logs()}`)
    return result
  }

  /** Runs kubectl; `program` is another than the usual. */
  kubectl(args: readonly string[], options: RunOptions & { program?: string } = {}): Promise<CommandResult> {
    return this.network.run(options.program ?? 'kubectl', args, { ...options, env: this.kubectlEnvironment })
  }

  get kubectlEnvironment(): Record<string, string> {
    return { KUBECONFIG: this.kubeconfig, HOME: this.directory, KUBECTL_KUBERC: 'false' }
  }

  /** The output of a kubectl that has to succeed. */
  async ask(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.kubectl(args)
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
    return stdout
  }

  /** A client of the API server; the test runs outside of the cluster's network, so it comes over a bridge. */
  async client(): Promise<{ client: ApiClient } & AsyncDisposable> {
    const { transport } = await readKubeconfig(this.kubeconfig)
    const port = await this.network.bridge(Number(new URL(transport.server).port))
    const connection = createHttpTransport({ ...transport, server: `https://127.0.0.1:${port}` })
    return {
      client: new ApiClient(connection),
      [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
    }
  }

  async pods(selector = ''): Promise<PodSeen[]> {
    const output = await this.ask('get', 'pods', '-o', 'json', '-l', selector)
    return (JSON.parse(output) as { items: PodSeen[] }).items
  }

  /** Looks until the pods with these labels are as wanted; fails with what they were last. */
  async podsUntil(
    what: string,
    holds: (pods: PodSeen[]) => boolean,
    { selector = 'app=nginx', timeoutMs = 30_000 } = {},
  ): Promise<PodSeen[]> {
    let last: PodSeen[] = []
    const look = async () => {
      last = await this.pods(selector)
      return holds(last) ? last : undefined
    }
    return eventually(what, look, timeoutMs).catch(async (error: Error) => {
      throw new Error(
        `${error.message}: ${JSON.stringify(last.map(({ status }) => status))}${await this.logs()}`,
      )
    })
  }

  /** Ends the first process of a pod in a moment, when the exec that says so is over and cannot be killed with it. */
  async endContainer(pod: string): Promise<void> {
    const later = '(sleep 0.2; kill -TERM 1) < /dev/null > /dev/null 2>&1 &'
    await this.ask('exec', pod, '--', 'sh', '-c', later)
  }

  /** The process ids of the background processes, as `status` tells them. */
  async processes(): Promise<{ server: number; node: number }> {
    const { stdout } = await this.keelson('status', '--json')
    const { server, node } = JSON.parse(stdout) as { server: { pid?: number }; node: { pid?: number } }
    return { server: server.pid ?? 0, node: node.pid ?? 0 }
  }

  async logs(): Promise<string> {
    const tail = async (name: string) => {
      const text = await readFile(join(this.dataDirectory, 'log', `${name}.log`), 'utf8').catch(() => '')
      return `\n--- ${name}.log\n${text.split('\n').slice(-8).join('\n')}`
    }
    return `${await tail('server')}${await tail('node')}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { code, stderr } = await this.keelson('down')
    await this.#registry?.dispose()
    await this.network[Symbol.asyncDispose]()
    if (code !== 0) throw new Error(`keelson down: ${stderr}`)
    await rm(this.directory, { recursive: true, force: true })
  }
}

export const isReady = (pod: PodSeen): boolean =>
  pod.metadata.deletionTimestamp === undefined &&
  (pod.status.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True')

/** So many pods, all ready, none being deleted. */
export const allReady =
  (count: number) =>
  (pods: PodSeen[]): boolean =>
    pods.length === count && pods.every(isReady)
