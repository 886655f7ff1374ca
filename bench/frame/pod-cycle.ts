import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { CriClient } from '../../cri/index.ts'
import {
  ContainerState,
  CreateContainerRequest,
  type DeepPartial,
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

const call = () => ({ signal: AbortSignal.timeout(30_000) })

/**
 * One pod with one container as a kubelet asks for it: own network, RuntimeDefault filter, no_new_privs, 64 MiB,
 * half a CPU, masked paths. `up` is RunPodSandbox + CreateContainer + StartContainer, `down` stops and removes it.
 */
export class PodCycle {
  readonly #cri: CriClient
  readonly #options: PodCycleOptions
  readonly #parents: string[] = []
  #count = 0
  #sandbox = ''

  constructor(cri: CriClient, options: PodCycleOptions) {
    this.#cri = cri
    this.#options = options
  }

  async up(): Promise<void> {
    const { runtime } = this.#cri
    const config = this.#sandboxConfig(this.#count++)
    const { podSandboxId } = await runtime.runPodSandbox(
      RunPodSandboxRequest.fromPartial({ config, runtimeHandler: this.#options.runtimeHandler ?? '' }),
      call(),
    )
    this.#sandbox = podSandboxId
    const { containerId } = await runtime.createContainer(
      CreateContainerRequest.fromPartial({
        podSandboxId,
        sandboxConfig: config,
        config: containerConfig(this.#options.image),
      }),
      call(),
    )
    await runtime.startContainer({ containerId }, call())
  }

  async down(): Promise<void> {
    if (this.#sandbox === '') return
    const podSandboxId = this.#sandbox
    await this.#cri.runtime.stopPodSandbox({ podSandboxId }, call())
    await this.#cri.runtime.removePodSandbox({ podSandboxId }, call())
    this.#sandbox = ''
  }

  async runningContainers(): Promise<number> {
    const state = { state: ContainerState.CONTAINER_RUNNING }
    const request = ListContainersRequest.fromPartial({ filter: { state } })
    return (await this.#cri.runtime.listContainers(request, call())).containers.length
  }

  /** The cgroup parents are the caller's, as they are a kubelet's. */
  removeParents(): void {
    const { cgroupParent } = this.#options
    for (const parent of [...this.#parents, cgroupParent, dirname(cgroupParent)])
      for (const hierarchy of hierarchies())
        try {
          rmdirSync(join(hierarchy, parent))
        } catch {
          // not in this hierarchy, or somebody else's are still below
        }
  }

  #sandboxConfig(number: number): DeepPartial<RunPodSandboxRequest>['config'] {
    const name = `bench-${number}`
    const logDirectory = join(this.#options.logDirectory, name)
    mkdirSync(logDirectory, { recursive: true })
    const cgroupParent = `${this.#options.cgroupParent}/${name}`
    this.#parents.push(cgroupParent)
    return {
      metadata: { name, uid: `${name}-${process.pid}`, namespace: 'bench', attempt: 0 },
      hostname: name,
      logDirectory,
      linux: { cgroupParent, securityContext: { namespaceOptions, seccomp } },
    }
  }
}

/** Every directory under which this host may keep a hierarchy, the only one of v2 included. */
function hierarchies(): string[] {
  const top = '/sys/fs/cgroup'
  return ['', ...readdirSync(top)].map((name) => join(top, name)).filter((path) => existsSync(path))
}

const seccomp = { profileType: SecurityProfile_ProfileType.RuntimeDefault }
const namespaceOptions = { network: NamespaceMode.POD, ipc: NamespaceMode.POD, pid: NamespaceMode.CONTAINER }

function containerConfig(image: string): DeepPartial<CreateContainerRequest>['config'] {
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
