import { KeelsonError } from '../base/index.ts'
import { CniNetwork, type CniOptions } from './cni-network.ts'
import { hasLeases } from './leases.ts'
import type { NetworkStatus, PodNetwork, PodNetworkRequest, PodNetworkResult } from './pod-network.ts'
import { createRoutedNetwork, type RoutedNetworkOptions } from './routed-network.ts'

/**
 * Who makes the network of pods. `auto`: CNI where a configuration lies in its directory when a pod is set up, else
 * the built-in network. Pods keep what they were made with.
 */
export type NetworkMode = 'auto' | 'builtin' | 'cni'

export interface PodNetworkOptions extends RoutedNetworkOptions {
  /** Default: `builtin`. */
  mode?: NetworkMode
  /** Needed for the modes `auto` and `cni`. */
  cni?: CniOptions
}

/** Takes over what an earlier process set up. The host is changed only for the built-in network, when it is needed. */
export async function createPodNetwork(options: PodNetworkOptions): Promise<PodNetwork> {
  const { mode = 'builtin', cni, log } = options
  if (mode === 'builtin') return createRoutedNetwork(options)
  if (!cni) throw new KeelsonError('INVALID_ARGUMENT', `network mode "${mode}" needs to know where CNI is`)
  const plugins = await CniNetwork.open({ ...cni, log: log.child({ network: 'cni' }) })
  const chosen = new ChosenNetwork(plugins, mode, () => createRoutedNetwork(options))
  const isNeeded = hasLeases(options.ledger) || (mode === 'auto' && (await plugins.network()) === undefined)
  if (isNeeded) await chosen.builtIn()
  return chosen
}

/** Two networks as one: a sandbox belongs to the one that knows it, a new one to the one that is chosen. */
class ChosenNetwork implements PodNetwork {
  readonly #cni: CniNetwork
  readonly #mode: NetworkMode
  readonly #make: () => Promise<PodNetwork>
  #making: Promise<PodNetwork> | undefined
  #builtIn: PodNetwork | undefined

  constructor(cni: CniNetwork, mode: NetworkMode, make: () => Promise<PodNetwork>) {
    this.#cni = cni
    this.#mode = mode
    this.#make = make
  }

  /** Made once, when first needed; after a failure, such as nft missing, tried again. */
  async builtIn(): Promise<PodNetwork> {
    this.#making ??= this.#make().catch((error: unknown) => {
      this.#making = undefined
      throw error
    })
    this.#builtIn = await this.#making
    return this.#builtIn
  }

  async setUp(request: PodNetworkRequest): Promise<PodNetworkResult> {
    const owner = this.#ownerOf(request.sandboxId) ?? (await this.#choose())
    return await owner.setUp(request)
  }

  async tearDown(sandboxId: string): Promise<void> {
    await this.#builtIn?.tearDown(sandboxId)
    await this.#cni.tearDown(sandboxId)
  }

  async abandon(sandboxId: string): Promise<void> {
    await this.#builtIn?.abandon(sandboxId)
    await this.#cni.abandon(sandboxId)
  }

  find(sandboxId: string): PodNetworkResult | undefined {
    return this.#builtIn?.find(sandboxId) ?? this.#cni.find(sandboxId)
  }

  list(): string[] {
    return [...new Set([...(this.#builtIn?.list() ?? []), ...this.#cni.list()])]
  }

  async check(sandboxId: string): Promise<void> {
    await (this.#ownerOf(sandboxId) ?? this.#cni).check(sandboxId)
  }

  async collect(): Promise<void> {
    await this.#builtIn?.collect()
    await this.#cni.collect()
  }

  setPodCidrs(podCidrs: readonly string[]): void {
    this.#cni.setPodCidrs(podCidrs)
  }

  async status(): Promise<NetworkStatus> {
    const isCni = this.#mode === 'cni' || (await this.#cni.network()) !== undefined
    return isCni ? await this.#cni.status() : await (await this.builtIn()).status()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cni[Symbol.asyncDispose]()
    await this.#builtIn?.[Symbol.asyncDispose]()
  }

  async #choose(): Promise<PodNetwork> {
    return this.#mode === 'cni' || (await this.#cni.network()) ? this.#cni : await this.builtIn()
  }

  #ownerOf(sandboxId: string): PodNetwork | undefined {
    if (this.#builtIn?.find(sandboxId)) return this.#builtIn
    return this.#cni.list().includes(sandboxId) ? this.#cni : undefined
  }
}
