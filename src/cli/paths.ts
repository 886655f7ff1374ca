import { join } from 'node:path'
import type { Config } from './config.ts'

/** Where everything of one instance lives. What must survive a reboot is below the data directory. */
export function pathsOf({ dataDirectory, runDirectory }: Pick<Config, 'dataDirectory' | 'runDirectory'>) {
  return {
    /** Cluster state (control/store). */
    store: join(dataDirectory, 'server/store'),
    pki: join(dataDirectory, 'server/pki'),
    adminKubeconfig: join(dataDirectory, 'admin.kubeconfig'),
    /** What a node of this machine needs to know: its certificate, the authority, the server's address. */
    nodeKubeconfig: join(dataDirectory, 'node/kubeconfig'),
    nodeLedger: join(dataDirectory, 'node/ledger'),
    images: join(dataDirectory, 'node/images'),
    network: join(dataDirectory, 'node/network'),
    cni: join(dataDirectory, 'node/cni'),
    kubelet: join(dataDirectory, 'node/kubelet'),
    logs: join(dataDirectory, 'log'),
    /** Containers: gone after a reboot, as they are. */
    containers: join(runDirectory, 'containers'),
    sandboxes: join(runDirectory, 'sandboxes'),
    /** Of the node's ledger: what is not on disk yet. */
    nodeJournal: join(runDirectory, 'journal/node'),
  }
}
