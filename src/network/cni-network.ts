import { existsSync } from 'node:fs'
import { asKeelsonError, type Clock, KeelsonError, type Logger } from '../base/index.ts'
import { podBandwidth } from './bandwidth.ts'
import type { Attachment } from './cni/attachments.ts'
import type { Offers } from './cni/capabilities.ts'
import { findNetwork } from './cni/network-directory.ts'
import type { NetworkList } from './cni/network-list.ts'
import { CniNetworks } from './cni/networks.ts'
import { factsOf } from './cni/result.ts'
import { Leftovers } from './leftovers.ts'
import type { NetworkStatus, PodNetwork, PodNetworkRequest, PodNetworkResult } from './pod-network.ts'

export interface CniOptions {
  /** Where the network is described: `/etc/cni/net.d`. */
  confDir: string
  /** Where plugins lie: `/opt/cni/bin`. */
  binDirs: readonly string[]
  /** Results are kept there, on a disk that outlives a reboot as the plugins' own records do. */
  cacheDir: string
  /** For each call of a plugin. Default 60,000. */
  timeoutMs?: number
  /** Ours, of which plugins get what they need: a PATH for iptables and its like. */
  env: Readonly<Record<string, string | undefined>>
  /**
   * Whether the network is used by nobody but this instance. Only then may plugins be told to remove what belongs to
   * none of its pods (GC): who else has pods there would lose their addresses. Default: no.
   */
  garbageCollect?: boolean
  clock: Clock
  /** A path by which a plugin finds a sandbox's network namespace: always the same, also in a later process. */
  namespacePath(sandboxId: string): string
}

const ifName = 'eth0'
const defaultTimeoutMs = 60_000

/** The pod network that CNI plugins make. Which network is decided at each pod by the files that are there then. */
export class CniNetwork implements PodNetwork {
  readonly #options: CniOptions & { log: Logger }
  readonly #networks: CniNetworks
  readonly #leftovers: Leftovers
  #podCidrs: readonly string[] = []
  #told = ''

  private constructor(options: CniOptions & { log: Logger }, networks: CniNetworks) {
    this.#options = options
    this.#networks = networks
    const { clock, log } = options
    this.#leftovers = new Leftovers({ clock, log, tearDown: (id) => this.tearDown(id) })
  }

  static async open(options: CniOptions & { log: Logger }): Promise<CniNetwork> {
    const { binDirs, cacheDir, timeoutMs = defaultTimeoutMs, env, clock, log } = options
    const networks = await CniNetworks.open({ binDirs, cacheDir, timeoutMs, env, clock, log })
    return new CniNetwork(options, networks)
  }

  /** The network that pods would get now; files that are passed over are told once. */
  async network(): Promise<NetworkList | undefined> {
    const { network, refused } = await findNetwork(this.#options.confDir)
    const telling = refused.map(({ message }) => message).join('\n')
    if (telling !== this.#told)
      for (const error of refused) this.#options.log.warn('a CNI configuration is passed over', { error })
    this.#told = telling
    return network
  }

  async setUp(request: PodNetworkRequest): Promise<PodNetworkResult> {
    const { sandboxId: containerId, podNamespace, podName, podUid, signal } = request
    const known = this.find(containerId)
    if (known) return known
    const network = await this.network()
    if (!network)
      throw new KeelsonError('FAILED_PRECONDITION', await this.#whyNone(), { op: 'set up network' })
    const adding = this.#networks.add({
      containerId,
      ifName,
      network,
      namespacePath: this.#options.namespacePath(containerId),
      args: podArgs({ podNamespace, podName, podUid, containerId }),
      offers: this.#offersOf(request),
      signal,
    })
    const result = await adding.catch((error: unknown) => {
      if (this.list().includes(containerId)) this.#leftovers.later(containerId)
      throw error
    })
    const answer = answerOf(result)
    if (answer.addresses.length > 0) return answer
    await this.abandon(containerId)
    throw new KeelsonError('INTERNAL', `the CNI network "${network.name}" gave the pod no address`, {
      id: containerId,
    })
  }

  async tearDown(sandboxId: string): Promise<void> {
    await this.#networks.del({ containerId: sandboxId, ifName }, this.#livePath(sandboxId))
  }

  abandon(sandboxId: string): Promise<void> {
    return this.#leftovers.abandon(sandboxId)
  }

  find(sandboxId: string): PodNetworkResult | undefined {
    const result = this.#networks.find({ containerId: sandboxId, ifName })?.result
    return result && answerOf(result)
  }

  list(): string[] {
    return this.#networks.all().map(({ containerId }) => containerId)
  }

  check(sandboxId: string): Promise<void> {
    return this.#networks.check({ containerId: sandboxId, ifName }, this.#livePath(sandboxId))
  }

  async collect(): Promise<void> {
    if (!this.#options.garbageCollect) return
    const network = await this.network()
    if (network) await this.#networks.collect(network)
  }

  /** Offered to plugins as the capability `ipRanges`. */
  setPodCidrs(podCidrs: readonly string[]): void {
    this.#podCidrs = podCidrs
  }

  async status(): Promise<NetworkStatus> {
    const network = await this.network()
    if (!network) return { ready: false, reason: 'NoNetworkConfiguration', message: await this.#whyNone() }
    try {
      await this.#networks.status(network)
      return { ready: true, reason: '', message: '' }
    } catch (error) {
      const { message } = asKeelsonError(error)
      return {
        ready: false,
        reason: 'NetworkPluginNotReady',
        message: `network "${network.name}": ${message}`,
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#leftovers[Symbol.asyncDispose]()
    await this.#networks[Symbol.asyncDispose]()
  }

  #livePath(sandboxId: string): string {
    const path = this.#options.namespacePath(sandboxId)
    return existsSync(path) ? path : ''
  }

  async #whyNone(): Promise<string> {
    const { confDir } = this.#options
    const { refused } = await findNetwork(confDir)
    const [first] = refused
    return first
      ? `no CNI configuration in ${confDir} is right: ${first.message}`
      : `no CNI configuration in ${confDir}`
  }

  #offersOf({ portMappings, annotations = {}, dns, cgroupPath }: PodNetworkRequest): Offers {
    const { servers = [], searches = [], options = [] } = dns ?? {}
    const hasDns = servers.length + searches.length + options.length > 0
    return {
      portMappings: portMappings.filter(({ hostPort }) => hostPort > 0),
      bandwidth: podBandwidth(annotations),
      ipRanges: this.#podCidrs.map((subnet) => [{ subnet }]),
      ...(hasDns
        ? { dns: { nameservers: [...servers], searches: [...searches], options: [...options] } }
        : {}),
      ...(cgroupPath === undefined ? {} : { cgroupPath }),
    }
  }
}

/** CNI_ARGS, as plugins made for Kubernetes read them. */
function podArgs(pod: Record<'podNamespace' | 'podName' | 'podUid' | 'containerId', string>) {
  const args = {
    IgnoreUnknown: '1',
    K8S_POD_NAMESPACE: pod.podNamespace,
    K8S_POD_NAME: pod.podName,
    K8S_POD_INFRA_CONTAINER_ID: pod.containerId,
    K8S_POD_UID: pod.podUid,
  }
  for (const [name, value] of Object.entries(args))
    if (/[;=\0]/.test(value))
      throw new KeelsonError(
        'INVALID_ARGUMENT',
        `${name} cannot be told to CNI plugins: ${JSON.stringify(value)}`,
      )
  return args
}

function answerOf(result: NonNullable<Attachment['result']>): PodNetworkResult {
  const { addresses, dns } = factsOf(result)
  const { nameservers: servers, searches, options } = dns
  const hasDns = servers.length + searches.length + options.length > 0
  return { addresses, ...(hasDns ? { dns: { servers, searches, options } } : {}) }
}
