/** Makes pods real: follows the API server's pods of one node and drives a CRI runtime to run them. */
export { createKubelet, type Kubelet, type KubeletOptions } from './kubelet.ts'
export type { ServerTls } from './server/kubelet-server.ts'
export type { VolumeMounter } from './volumes/volume-manager.ts'
