import { join } from 'node:path'
import type { StreamingUrls } from '../../cri/service.ts'
import type { RestorePodResponse } from '../../cri/types.ts'
import type { Clock, Logger } from '../base/index.ts'
import type { ImageStore } from '../image/index.ts'
import type { NamespacePins } from '../kernel/index.ts'
import type { PodNetwork } from '../network/index.ts'
import type { CgroupLayout, Runtime, SystemdSlices } from '../oci/index.ts'
import type { CpuMeter } from './cpu-meter.ts'
import type { Holders } from './holders.ts'
import type { Joined } from './joined.ts'
import type { Lives } from './lives.ts'
import type { PodCgroups } from './pod-cgroup.ts'
import type { HostLimits } from './spec/spec.ts'
import type { PodStore } from './store.ts'
import type { Turns } from './turns.ts'
import type { UserFiles } from './user-files.ts'

/** What pods need of an image store. */
export type PodImages = Pick<
  ImageStore,
  'archives' | 'pull' | 'find' | 'get' | 'list' | 'remove' | 'filesystem' | 'snapshots' | 'has' | 'readFile'
>

/** What holds for every container, whatever its caller asks for. */
export interface ContainerLimits {
  /** Most processes and threads; 0: no limit. */
  readonly pidsMax: number
  /** How long ExecSync reads output after its command ended: children may hold the pipes for ever. */
  readonly execDrainMs: number
  /** Of each output; what is more is read and dropped, as Kubernetes expects. */
  readonly execSyncBytesMax: number
  /** Most that a writable layer may take on disk; 0: no limit. */
  readonly writableLayerBytesMax: number
}

/** What the verbs share. Each verb is a function of this and a request. */
export interface PodContext {
  readonly runtime: Runtime
  readonly images: PodImages
  readonly userFiles: UserFiles
  readonly network: PodNetwork
  readonly pins: NamespacePins
  readonly store: PodStore
  readonly lives: Lives
  readonly holders: Holders
  readonly streaming: StreamingUrls | undefined
  readonly host: HostLimits
  readonly clock: Clock
  readonly log: Logger
  readonly containers: ContainerLimits
  /** Where CDI files lie; the later comes first. */
  readonly cdiDirectories: readonly string[]
  /** Handlers a caller may name; they are one and the same. */
  readonly runtimeHandlers: readonly string[]
  /** Cgroups of pods whose caller names no parent lie at `/<cgroupInstance>/<sandbox>`. */
  readonly cgroupInstance: string
  readonly cgroupLayout: CgroupLayout
  /** With the systemd driver; without, cgroups are made by ourselves. */
  readonly slices: SystemdSlices | undefined
  readonly cgroups: PodCgroups
  readonly cpuMeter: CpuMeter
  /** Folders in which programs of the host are looked for, as in PATH. */
  readonly programPath: string
  /** Files of pods: hosts, hostname, resolv.conf. */
  readonly filesDirectory: string
  /** Of what changes one container's record and kernel state together, by its id. */
  readonly turns: Turns
  /** Requests a client repeats while the first is still being worked on. */
  readonly joined: {
    sandboxes: Joined<string>
    restores: Joined<RestorePodResponse>
    containers: Joined<string>
    starts: Joined<void>
    removals: Joined<void>
  }
}

export function nowNs(clock: Clock): bigint {
  return BigInt(Math.round(clock.nowMs())) * 1_000_000n
}

export function sandboxDirectory(context: Pick<PodContext, 'filesDirectory'>, sandboxId: string): string {
  return join(context.filesDirectory, sandboxId)
}
