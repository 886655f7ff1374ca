/**
 * Gives a pod's network namespace its addresses, routes and host ports, and takes them back. `setUp` for the same
 * sandbox returns the first result; `tearDown` succeeds whatever is missing, also when the namespace is gone, and may
 * be called again after a failure.
 */
export interface PodNetwork extends AsyncDisposable {
  setUp(request: PodNetworkRequest): Promise<PodNetworkResult>
  tearDown(sandboxId: string): Promise<void>
  /**
   * `tearDown` for a sandbox that nobody will ask for again: never fails, and what is left is tried again from here. Its
   * id is not to be set up any more.
   */
  abandon(sandboxId: string): Promise<void>
  /** What `setUp` gave a sandbox; undefined when nothing is set up. */
  find(sandboxId: string): PodNetworkResult | undefined
  /** Sandboxes that hold addresses; recovery gives back those of sandboxes that are gone. */
  list(): string[]
  /** Whether a pod's network is as it was set up: throws what is wrong. NOT_FOUND for a sandbox that has none. */
  check(sandboxId: string): Promise<void>
  /** After `list` was reconciled: removes what belongs to nobody and nobody would ask for any more. */
  collect(): Promise<void>
  /** What the orchestrator wants pod addresses to come from; each network does with it what it can. */
  setPodCidrs(podCidrs: readonly string[]): void
  status(): Promise<NetworkStatus>
}

export interface PodNetworkRequest {
  sandboxId: string
  /** An open descriptor of the network namespace; borrowed. */
  namespaceFd: number
  podNamespace: string
  podName: string
  podUid: string
  portMappings: readonly PortMapping[]
  /** Bandwidth is read from these: `kubernetes.io/ingress-bandwidth`, `kubernetes.io/egress-bandwidth`. */
  annotations?: Readonly<Record<string, string>>
  /** What the pod asks of its resolv.conf, for networks that serve names themselves. */
  dns?: PodDns | undefined
  /** Of the pod, from the root of every hierarchy. */
  cgroupPath?: string
  signal?: AbortSignal
}

export interface PortMapping {
  protocol: 'tcp' | 'udp' | 'sctp'
  containerPort: number
  hostPort: number
  /** Absent or `::`: every address of the host. `0.0.0.0`: every IPv4 address. */
  hostIp?: string
}

export interface PodDns {
  servers: readonly string[]
  searches: readonly string[]
  options: readonly string[]
}

export interface PodNetworkResult {
  /** Without prefix length, IPv4 first: `10.42.0.5`. */
  addresses: string[]
  /** What the network says of names, to be used where the pod says nothing. */
  dns?: PodDns
}

export interface NetworkStatus {
  ready: boolean
  /** One word in CamelCase; empty when ready. */
  reason: string
  message: string
}
