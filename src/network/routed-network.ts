import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import { asKeelsonError, type Clock, hasErrno, KeelsonError, type Logger } from '../base/index.ts'
import {
  changeNetwork,
  deleteLinkGroup,
  forgetFlowsToPort,
  inNamespace,
  listLinks,
  listRoutes,
  type Nft,
  openNft,
} from '../kernel/index.ts'
import type { Ledger } from '../ledger/index.ts'
import { AddressPool } from './address-pool.ts'
import { podBandwidth } from './bandwidth.ts'
import { forwardIPv6, restoreHostChanges, setHostSysctl, setLoopbackAddress } from './host-changes.ts'
import { checkHostIp, overlaps } from './host-ports.ts'
import { type Lease, Leases } from './leases.ts'
import { Leftovers } from './leftovers.ts'
import { isPodTable, type NetworkNames, networkNames } from './names.ts'
import { connectPod, disconnectPod, removeLink, wholeAddress } from './pod-link.ts'
import type {
  NetworkStatus,
  PodNetwork,
  PodNetworkRequest,
  PodNetworkResult,
  PortMapping,
} from './pod-network.ts'
import { parseRanges } from './pod-ranges.ts'
import { podRuleset, removeTable } from './ruleset.ts'

export interface RoutedNetworkOptions {
  instance: string
  /**
   * This node's range, or one of each family: `10.42.0.0/24`, `10.42.0.0/24,fd00:42::/64`. The first address of each
   * becomes the node's own, on `lo`.
   */
  podCidr: string
  /** All pods of the cluster: `10.42.0.0/16`, or one of each family. Default: `podCidr`. */
  clusterCidr?: string
  /** Keys `network/…` are ours. Borrowed. */
  ledger: Ledger
  /** For the record of what was changed on the host; `restoreHost` needs the same. */
  dataDirectory: string
  runDirectory: string
  clock: Clock
  log: Logger
  /** Default: that of the link behind the default route, else 1500. */
  mtu?: number
  /** Another network namespace to be the "host", with an `nft` that acts there. Default: that of the process. */
  host?: { namespaceFd: number; nft: Nft }
}

/** Sets the node up and takes over what leases there are. FAILED_PRECONDITION when nft is not installed. */
export async function createRoutedNetwork(options: RoutedNetworkOptions): Promise<PodNetwork> {
  const { four, six } = parseRanges(options.podCidr)
  const pools = [new AddressPool(four), ...(six === undefined ? [] : [new AddressPool(six)])]
  const names = networkNames(options.instance)
  const nft = options.host?.nft ?? (await openNft({ directory: options.runDirectory }))
  const changes = hostChanges(options)
  await setHostSysctl(changes, 'net/ipv4/ip_forward', '1')
  if (six !== undefined) await forwardIPv6(changes)
  for (const { gateway } of pools) await setLoopbackAddress(changes, wholeAddress(gateway))
  const mtu = options.mtu ?? (await findMtu(options.host?.namespaceFd))
  const network = new RoutedNetwork({ ...options, pools, names, nft, mtu })
  await network.applyRules()
  return network
}

/**
 * Puts back what `createRoutedNetwork` changed on the host: table, pods' links that are left, address, sysctls. For
 * `keelson down`, in whichever process, after the pods are gone. What is missing is no error. Sysctls that another
 * instance needs stay as they are.
 */
export async function restoreHost(
  options: Pick<RoutedNetworkOptions, 'instance' | 'dataDirectory' | 'runDirectory' | 'host'> & {
    log?: Logger
  },
): Promise<void> {
  const names = networkNames(options.instance)
  const nft = options.host?.nft ?? (await openNft({ directory: options.runDirectory }))
  await nft.apply(removeTable('inet', names.table))
  const links = inNamespace(options.host?.namespaceFd, deleteLinkGroup(names.linkGroup))
  await changeNetwork(links).catch((error: unknown) => {
    if (!hasErrno(error, 'ENODEV')) throw error
  })
  const others = (await nft.tables()).filter(isPodTable)
  if (others.length > 0) options.log?.warn('forwarding stays on: another instance has pods here', { others })
  await restoreHostChanges(hostChanges(options), { sysctlsNeeded: others.length > 0 })
}

function hostChanges({ dataDirectory, host }: Pick<RoutedNetworkOptions, 'dataDirectory' | 'host'>) {
  return { path: join(dataDirectory, 'host-network.json'), namespaceFd: host?.namespaceFd }
}

async function findMtu(namespaceFd: number | undefined): Promise<number> {
  const [routes, links] = await Promise.all([listRoutes(4, namespaceFd), listLinks(namespaceFd)])
  const way = routes.find(({ destination }) => destination === '0.0.0.0/0')
  return links.find(({ index }) => index === way?.linkIndex)?.mtu ?? 1500
}

type Parts = RoutedNetworkOptions & {
  pools: readonly AddressPool[]
  names: NetworkNames
  nft: Nft
  mtu: number
}

class RoutedNetwork implements PodNetwork {
  readonly #parts: Parts
  readonly #leases: Leases
  /** Sandboxes whose link is complete in this life of the daemon. */
  readonly #connected = new Set<string>()
  /** Sandboxes whose lease stays until nothing points to its addresses any more: they have no rules. */
  readonly #leaving = new Set<string>()
  readonly #leftovers: Leftovers
  /** The last piece of work of a sandbox: the next one waits for it. */
  readonly #turns = new Map<string, Promise<unknown>>()
  #rules: Promise<void> = Promise.resolve()

  constructor(parts: Parts) {
    this.#parts = parts
    this.#leases = new Leases(parts.ledger)
    const { clock, log } = parts
    this.#leftovers = new Leftovers({ clock, log, tearDown: (id) => this.tearDown(id) })
    const [four, six] = parts.pools
    for (const lease of this.#leases.all()) {
      four?.claim(lease.address)
      if (lease.address6 !== undefined) six?.claim(lease.address6)
    }
    four?.continueAfter(this.#leases.lastAddress(4) ?? '')
    six?.continueAfter(this.#leases.lastAddress(6) ?? '')
  }

  setUp(request: PodNetworkRequest): Promise<PodNetworkResult> {
    return this.#inTurn(request.sandboxId, () => this.#setUp(request))
  }

  tearDown(sandboxId: string): Promise<void> {
    return this.#inTurn(sandboxId, () => this.#tearDown(sandboxId))
  }

  abandon(sandboxId: string): Promise<void> {
    return this.#leftovers.abandon(sandboxId)
  }

  find(sandboxId: string): PodNetworkResult | undefined {
    const lease = this.#leases.get(sandboxId)
    return lease && { addresses: addressesOf(lease) }
  }

  list(): string[] {
    return this.#leases.all().map(({ sandboxId }) => sandboxId)
  }

  async check(sandboxId: string): Promise<void> {
    const lease = this.#leases.get(sandboxId)
    if (!lease) throw new KeelsonError('NOT_FOUND', `${sandboxId} has no network`, { id: sandboxId })
    for (const address of addressesOf(lease)) {
      const routes = await listRoutes(isIPv6(address) ? 6 : 4, this.#parts.host?.namespaceFd)
      if (!routes.some(({ destination }) => destination === wholeAddress(address)))
        throw new KeelsonError('FAILED_PRECONDITION', `the host has no route to ${address}`, {
          id: sandboxId,
        })
    }
  }

  async collect(): Promise<void> {}

  setPodCidrs(): void {}

  async status(): Promise<NetworkStatus> {
    return { ready: true, reason: '', message: '' }
  }

  /** Pods keep running, so their network stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#leftovers[Symbol.asyncDispose]()
    await Promise.allSettled([...this.#turns.values(), this.#rules])
  }

  /** One nft at a time; each writes the state at its start, so the last one has all. */
  applyRules(): Promise<void> {
    const { podCidr, clusterCidr = podCidr, names, nft } = this.#parts
    const next = this.#rules
      .catch(() => undefined) // whoever asked for those was told
      .then(() => nft.apply(podRuleset({ names, podCidr, clusterCidr }, this.#staying())))
    this.#rules = next
    return next
  }

  /** The rules without or with a pod's ports, and then flows that went by the others: to the host, or to a pod that is gone. */
  async #applyPorts({ portMappings }: Lease): Promise<void> {
    if (portMappings.length === 0) return
    const { log, host } = this.#parts
    await this.applyRules()
    for (const { protocol, hostPort: port } of portMappings)
      if (protocol === 'udp')
        await forgetFlowsToPort({ protocol, port }, host?.namespaceFd).catch((error: unknown) =>
          log.warn('flows to the port of a host stay until they end', { port, error }),
        )
  }

  #staying(): Lease[] {
    return this.#leases.all().filter(({ sandboxId }) => !this.#leaving.has(sandboxId))
  }

  async #setUp(request: PodNetworkRequest): Promise<PodNetworkResult> {
    if (request.signal?.aborted) throw asKeelsonError(request.signal.reason, { op: 'set up network' })
    const known = this.#leases.get(request.sandboxId)
    const lease = known ?? this.#newLease(request)
    if (!known || !this.#connected.has(request.sandboxId))
      await this.#connect(lease, request, known === undefined)
    return { addresses: addressesOf(lease) }
  }

  async #connect(lease: Lease, request: PodNetworkRequest, isNew: boolean): Promise<void> {
    // One that is set up again after it could not be taken down has no rules any more.
    const hasRules = !isNew && !this.#leaving.delete(lease.sandboxId)
    try {
      // Side by side: should we end in between, neither a lease without link nor a link without lease does harm.
      await both(isNew ? this.#leases.put(lease) : Promise.resolve(), connectPod(this.#link(lease, request)))
      if (!hasRules) await this.#applyPorts(lease)
      this.#connected.add(lease.sandboxId)
    } catch (error) {
      if (isNew) await this.#undo(lease)
      else if (!hasRules) this.#leaving.add(lease.sandboxId)
      throw error
    }
  }

  #link(lease: Lease, { namespaceFd: podNamespaceFd, annotations = {} }: PodNetworkRequest) {
    const { link: hostLink, portMappings } = lease
    const { names, pools, mtu, host } = this.#parts
    return {
      hostLink,
      linkGroup: names.linkGroup,
      mtu,
      addresses: addressesOf(lease).map((address, index) => ({
        address,
        hostAddress: pools[index]?.gateway ?? address,
      })),
      bandwidth: podBandwidth(annotations),
      podNamespaceFd,
      hostNamespaceFd: host?.namespaceFd,
      localHostPorts: portMappings.length > 0,
    }
  }

  async #undo(lease: Lease): Promise<void> {
    const { log, host } = this.#parts
    await removeLink(lease.link, host?.namespaceFd).catch((error: unknown) =>
      log.warn('the link of a pod that could not be connected stays', { link: lease.link, error }),
    )
    // The lease stays, for whoever gives up the sandbox; why it could not be connected is what is told.
    await this.#release(lease).catch((error: unknown) =>
      log.warn('the lease of a pod that could not be connected stays', { id: lease.sandboxId, error }),
    )
  }

  async #tearDown(sandboxId: string): Promise<void> {
    const lease = this.#leases.get(sandboxId)
    this.#connected.delete(sandboxId)
    if (!lease) return
    await disconnectPod(addressesOf(lease), this.#parts.host?.namespaceFd)
    await this.#release(lease)
  }

  /**
   * The address is free for others, and its lease forgotten, only when nothing points to it any more: after a failure
   * the lease is there to begin with again.
   */
  async #release(lease: Lease): Promise<void> {
    this.#leaving.add(lease.sandboxId)
    await this.#applyPorts(lease)
    await this.#leases.remove(lease.sandboxId)
    this.#leaving.delete(lease.sandboxId)
    const [four, six] = this.#parts.pools
    four?.release(lease.address)
    if (lease.address6 !== undefined) six?.release(lease.address6)
  }

  #newLease(request: PodNetworkRequest): Lease {
    const { sandboxId, podNamespace, podName, podUid } = request
    const portMappings = request.portMappings.filter(({ hostPort }) => hostPort > 0)
    for (const mapping of portMappings) this.#checkFree(mapping, sandboxId)
    podBandwidth(request.annotations ?? {}) // refused before anything is taken
    return {
      version: 1,
      sandboxId,
      ...this.#takeAddresses(),
      link: this.#parts.names.link(sandboxId),
      portMappings,
      podNamespace,
      podName,
      podUid,
    }
  }

  #takeAddresses(): Pick<Lease, 'address' | 'address6'> {
    const [four, six] = this.#parts.pools
    if (!four) throw new KeelsonError('INTERNAL', 'a pod network without a range')
    const address = four.take()
    if (!six) return { address }
    try {
      return { address, address6: six.take() }
    } catch (error) {
      four.release(address)
      throw error
    }
  }

  #checkFree(mapping: PortMapping, id: string): void {
    checkHostIp(mapping, this.#parts.pools.length > 1, id)
    const owner = this.#leases
      .all()
      .find((lease) => lease.portMappings.some((other) => overlaps(mapping, other)))
    if (!owner) return
    const { protocol, hostPort } = mapping
    throw new KeelsonError('ALREADY_EXISTS', `host port ${hostPort}/${protocol} is in use`, {
      op: 'set up network',
      id,
      hint: `it belongs to pod ${owner.podNamespace}/${owner.podName}`,
    })
  }

  async #inTurn<T>(sandboxId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(sandboxId)
    const turn = before ? before.then(work, work) : work()
    this.#turns.set(sandboxId, turn)
    try {
      return await turn
    } finally {
      if (this.#turns.get(sandboxId) === turn) this.#turns.delete(sandboxId)
    }
  }
}

function addressesOf({ address, address6 }: Lease): string[] {
  return address6 === undefined ? [address] : [address, address6]
}

/** Waits for both also when one fails, so that the undo does not race the other. */
async function both(one: Promise<void>, other: Promise<void>): Promise<void> {
  const results = await Promise.allSettled([one, other])
  for (const result of results) if (result.status === 'rejected') throw result.reason
}
