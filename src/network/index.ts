/** Pod network: built-in routed veth over netlink, and CNI. */

export { nodeAddress } from './address-pool.ts'
export type { CniOptions } from './cni-network.ts'
export { createPodNetwork, type NetworkMode, type PodNetworkOptions } from './create-pod-network.ts'
export type * from './pod-network.ts'
export { restoreHost } from './routed-network.ts'
