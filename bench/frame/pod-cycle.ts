import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import type { CriClient } from '../../cri/index.ts'
import {
  ContainerState,
  CreateContainerRequest,
  type DeepPartial,
  ExecSyncRequest,
  ListContainersRequest,
  NamespaceMode,
  RunPodSandboxRequest,
  SecurityProfile_ProfileType,
} from '../../cri/types.ts'

export interface PodCycleOptions {
  image: string
  /** cgroup parent of every pod, from the root of the hierarchies. */
  cgroupParent: string
  logDirectory: string
  runtimeHandler?: string
}

export interface Pod {
  cgroupParent: string
  podSandboxId: string
  containerId: string
}

const call = () => ({ signal: AbortSignal.timeout(60_000) })

/**
 * Pods with one container each as a kubelet asks for them: own network, RuntimeDefault filter (or none), no_new_privs,
 * 64 MiB, half a CPU, masked paths. `up` is RunPodSandbox + CreateContainer + StartContainer, `down` stops and removes.
 */
export class PodCycle {
  readonly #cri: CriClient
  readonly #options: PodCycleOptions
  readonly #up = new Set<Pod>()
  #parents: string[] = []
  #count = 0

  constructor(cri: CriClient, options: PodCycleOptions) {
    this.#cri = cri
    this.#options = options
  }

  async up({ filter = true } = {}): Promise<Pod> {
    const { runtime } = this.#cri
    const seccomp = filter ? runtimeDefault : unconfined
    const config = this.#sandboxConfig(this.#count++, seccomp)
    const { podSandboxId } = await runtime.runPodSandbox(
      RunPodSandboxRequest.fromPartial({ config, runtimeHandler: this.#options.runtimeHandler ?? '' }),
      call(),
    )
    const pod = { cgroupParent: config?.linux?.cgroupParent ?? '', podSandboxId, containerId: '' }
    this.#up.add(pod)
    const { containerId } = await runtime.createContainer(
      CreateContainerRequest.fromPartial({
        podSandboxId,
        sandboxConfig: config,
        config: containerConfig(this.#options.image, seccomp),
      }),
      call(),
    )
    pod.containerId = containerId
    await runtime.startContainer({ containerId }, call())
    return pod
  }

  async down(pod: Pod): Promise<void> {
    const { podSandboxId } = pod
    await this.#cri.runtime.stopPodSandbox({ podSandboxId }, call())
    await this.#cri.runtime.removePodSandbox({ podSandboxId }, call())
    this.#up.delete(pod)
  }

  /** Of every pod that is still up, a few at a time. */
  async downAll(): Promise<void> {
    const left = [...this.#up].values()
    const worker = async () => {
      for (const pod of left) await this.down(pod)
    }
    await Promise.all([worker(), worker(), worker(), worker()])
  }

  async trueInside({ containerId }: Pod): Promise<void> {
    const request = ExecSyncRequest.fromPartial({ containerId, cmd: ['/bin/true'], timeout: 30n })
    const { exitCode } = await this.#cri.runtime.execSync(request, call())
    if (exitCode !== 0) throw new Error(`/bin/true ended with ${exitCode}`)
  }

  async runningContainers(): Promise<number> {
    const state = { state: ContainerState.CONTAINER_RUNNING }
    const request = ListContainersRequest.fromPartial({ filter: { state } })
    return (await this.#cri.runtime.listContainers(request, call())).containers.length
  }

  /** Whether groups of pods that went down are still there. */
  hasGroups(): boolean {
    const up = new Set([...this.#up].map(({ cgroupParent }) => cgroupParent))
    const down = this.#parents.filter((parent) => !up.has(parent))
    return hierarchies().some((hierarchy) =>
      down.some((parent) => directoriesIn(join(hierarchy, parent)).length > 0),
    )
  }

  /** The cgroup parents are the caller's, as they are a kubelet's. */
  removeParents(): void {
    const { cgroupParent } = this.#options
    for (const parent of [...this.#parents, cgroupParent])
      for (const hierarchy of hierarchies())
        try {
          rmdirSync(join(hierarchy, parent))
        } catch {
          // not in this hierarchy, or somebody else's are still below
        }
    const up = new Set([...this.#up].map((pod) => pod.cgroupParent))
    this.#parents = this.#parents.filter((parent) => up.has(parent))
  }

  #sandboxConfig(number: number, seccomp: Profile): DeepPartial<RunPodSandboxRequest>['config'] {
    const name = `bench-${this.#options.runtimeHandler ?? 'own'}-${number}`
    const logDirectory = join(this.#options.logDirectory, name)
    mkdirSync(logDirectory, { recursive: true })
    const cgroupParent = `${this.#options.cgroupParent}/${name}`
    this.#parents.push(cgroupParent)
    return {
      metadata: { name, uid: randomUUID(), namespace: 'bench', attempt: 0 },
      hostname: name,
      logDirectory,
      dnsConfig: { servers: ['10.96.0.10'], searches: ['bench.svc.cluster.local'], options: ['ndots:5'] },
      linux: { cgroupParent, securityContext: { namespaceOptions, seccomp } },
    }
  }
}

/** Every directory under which this host may keep a hierarchy, the only one of v2 included. */
function hierarchies(): string[] {
  const top = '/sys/fs/cgroup'
  return ['', ...readdirSync(top)].map((name) => join(top, name)).filter((path) => existsSync(path))
}

function directoriesIn(path: string): string[] {
  const entries = existsSync(path) ? readdirSync(path, { withFileTypes: true }) : []
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
}

interface Profile {
  profileType: SecurityProfile_ProfileType
}

const runtimeDefault: Profile = { profileType: SecurityProfile_ProfileType.RuntimeDefault }
const unconfined: Profile = { profileType: SecurityProfile_ProfileType.Unconfined }
const namespaceOptions = { network: NamespaceMode.POD, ipc: NamespaceMode.POD, pid: NamespaceMode.CONTAINER }

function containerConfig(image: string, seccomp: Profile): DeepPartial<CreateContainerRequest>['config'] {
  return {
    metadata: { name: 'payload', attempt: 0 },
    image: { image },
    command: ['/bin/sleep', '1000000'],
    logPath: 'payload.log',
    linux: {
      resources: { memoryLimitInBytes: 64n << 20n, cpuPeriod: 100_000n, cpuQuota: 50_000n, cpuShares: 512n },
      securityContext: { namespaceOptions, seccomp, noNewPrivs: true, maskedPaths, readonlyPaths },
    },
  }
}

/** What a kubelet sends for procMount Default. */
const maskedPaths = [
  ...['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/latency_stats'],
  ...['/proc/timer_list', '/proc/timer_stats', '/proc/sched_debug', '/proc/scsi', '/sys/firmware'],
]
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']
