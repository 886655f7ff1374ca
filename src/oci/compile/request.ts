import type { CgroupPlan } from '../cgroup/index.ts'
import type { CgroupLayout } from '../cgroup/layout.ts'
import type { HostFacts } from '../host-facts.ts'
import type { CompiledRdt } from '../intel-rdt.ts'
import type { Privileges } from '../privileges.ts'
import type {
  DetachedLife,
  ForegroundLife,
  LayerStack,
  MonitoredLife,
  NamespaceType,
  Rootfs,
} from '../runtime.ts'
import type { StoredFilters } from '../seccomp/index.ts'
import type { Spec } from '../spec.ts'

/** Everything a plan depends on: the specification, and the facts of this host. Compiling it has no effects. */
export interface CompileRequest {
  id: string
  spec: Spec
  bundle: string
  rootfs?: Rootfs
  /** Open descriptors of namespaces to join. */
  namespaceFds: Partial<Record<NamespaceType, number>>
  mountFds: Readonly<Record<string, number>>
  layerMounts?: Readonly<Record<string, LayerStack>>
  keepSessionKeyring?: boolean
  noPivot?: boolean
  pidfdSocket?: string
  environment?: readonly string[]
  notify?: boolean
  holds?: boolean
  privileges: Privileges
  life: MonitoredLife | DetachedLife | ForegroundLife
  /** The container's state directory: its path, and open. */
  directory: string
  directoryFd: number
  /** Held by keelson-init until it has finished, so that nobody else works on the container meanwhile. */
  lockFd: number
  cgroup: CgroupPlan | undefined
  rdt?: CompiledRdt | undefined
  cgroupLayout: CgroupLayout
  host: HostFacts
  filters?: StoredFilters | undefined
  /** Files of the state directory that are written before anything else, by name. */
  records: Readonly<Record<string, string | Uint8Array>>
  /** RLIMIT_NOFILE that a container gets when its specification names none. */
  fileLimit: { soft: bigint; hard: bigint }
}
