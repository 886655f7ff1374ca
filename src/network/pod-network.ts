/**
 * Gives a pod's network namespace its addresses, routes and host ports, and takes them back. `setUp` for the same
 * sandbox returns the first result; `tearDown` succeeds whatever is missing, also when the namespace is gone.
 */
export interface PodNetwork extends AsyncDisposable {
  setUp(request: PodNetworkRequest): Promise<PodNetworkResult>
  tearDown(sandboxId: string): Promise<void>
  /** What `setUp` gave a sandbox; undefined when nothing is set up. */
  find(sandboxId: string): PodNetworkResult | undefined
  /** Sandboxes that hold addresses; recovery gives back those of sandboxes that are gone. */
  list(): string[]
  status(): NetworkStatus
}

export interface PodNetworkRequest {
  sandboxId: string
  /** An open descriptor of the network namespace; borrowed. */
  namespaceFd: number
  podNamespace: string
  podName: string
  podUid: string
  portMappings: readonly PortMapping[]
  signal?: AbortSignal
}

export interface PortMapping {
  protocol: 'tcp' | 'udp' | 'sctp'
  containerPort: number
  hostPort: number
  hostIp?: string
}

export interface PodNetworkResult {
  /** Without prefix length, IPv4 first: `10.42.0.5`. */
  addresses: string[]
}

export interface NetworkStatus {
  ready: boolean
  reason: string
  message: string
}
