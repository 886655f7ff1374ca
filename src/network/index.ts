/** Pod network: built-in routed veth over netlink, and CNI. */

export { nodeAddress } from './address-pool.ts'
export type * from './pod-network.ts'
export { createPodNetwork, type PodNetworkOptions, restoreHost } from './routed-network.ts'
