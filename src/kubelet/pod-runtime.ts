import type { Call, RuntimeService } from '../../cri/service.ts'
import * as cri from '../../cri/types.ts'
import { label } from './labels.ts'

export interface SandboxRun {
  id: string
  attempt: number
  ready: boolean
  createdAtNs: bigint
  /** Primary address first; empty in the host's network. */
  ips: readonly string[]
}

/** One run of a container: the `attempt`-th, in one sandbox. */
export interface ContainerRun {
  id: string
  name: string
  attempt: number
  sandboxId: string
  state: cri.ContainerState
  status: cri.ContainerStatus
}

/** What the runtime has of one pod, newest first. */
export interface PodRuntime {
  sandboxes: readonly SandboxRun[]
  containers: readonly ContainerRun[]
}

export const nothing: PodRuntime = { sandboxes: [], containers: [] }

export function newestRun(have: PodRuntime, name: string): ContainerRun | undefined {
  return have.containers.find((run) => run.name === name)
}

export function isRunning(run: ContainerRun): boolean {
  return run.state === cri.ContainerState.CONTAINER_RUNNING
}

export function isExited(run: ContainerRun): boolean {
  return run.state === cri.ContainerState.CONTAINER_EXITED
}

/**
 * Reads a pod from the runtime. The lists are asked anew each time, so a reconcile always sees the effect of what
 * was done before it; the details behind a list entry are kept as long as its state stays, because the runtime
 * changes them only together.
 */
export class PodRuntimeReader {
  readonly #runtime: RuntimeService
  readonly #containers = new Map<string, cri.ContainerStatus>()
  readonly #addresses = new Map<string, readonly string[]>()

  constructor(runtime: RuntimeService) {
    this.#runtime = runtime
  }

  async read(uid: string, call: Call): Promise<PodRuntime> {
    const labelSelector = { [label.podUid]: uid }
    const [{ items }, { containers }] = await Promise.all([
      this.#runtime.listPodSandbox({ filter: { id: '', state: undefined, labelSelector } }, call),
      this.#runtime.listContainers(
        { filter: { id: '', state: undefined, podSandboxId: '', labelSelector } },
        call,
      ),
    ])
    const sandboxes = await Promise.all(items.map((one) => this.#sandbox(one, call)))
    const runs = await Promise.all(containers.map((one) => this.#run(one, call)))
    return {
      sandboxes: sandboxes.sort((a, b) => b.attempt - a.attempt || compare(b.createdAtNs, a.createdAtNs)),
      containers: runs
        .filter((run) => run !== undefined)
        .sort((a, b) => b.attempt - a.attempt || compare(b.status.createdAt, a.status.createdAt)),
    }
  }

  /** Uids of all pods that the runtime knows and whose labels say that a kubelet made them. */
  async podUids(call: Call): Promise<Set<string>> {
    const { items } = await this.#runtime.listPodSandbox({ filter: undefined }, call)
    return new Set(items.map(({ labels }) => labels[label.podUid]).filter((uid) => uid !== undefined))
  }

  forget(have: PodRuntime): void {
    for (const { id } of have.sandboxes) this.#addresses.delete(id)
    for (const { id } of have.containers) this.#containers.delete(id)
  }

  async #sandbox(item: cri.PodSandbox, call: Call): Promise<SandboxRun> {
    const ready = item.state === cri.PodSandboxState.SANDBOX_READY
    const ips = this.#addresses.get(item.id) ?? (ready ? await this.#readAddresses(item.id, call) : [])
    return { id: item.id, attempt: item.metadata?.attempt ?? 0, ready, createdAtNs: item.createdAt, ips }
  }

  async #readAddresses(podSandboxId: string, call: Call): Promise<readonly string[]> {
    const { status } = await this.#runtime.podSandboxStatus({ podSandboxId, verbose: false }, call)
    const { ip, additionalIps = [] } = status?.network ?? { ip: '' }
    const ips = [ip, ...additionalIps.map((one) => one.ip)].filter((one) => one !== '')
    this.#addresses.set(podSandboxId, ips)
    return ips
  }

  /** Undefined when the container went away between the list and this question. */
  async #run(item: cri.Container, call: Call): Promise<ContainerRun | undefined> {
    const known = this.#containers.get(item.id)
    const status = known?.state === item.state ? known : await this.#readStatus(item.id, call)
    if (!status) return undefined
    return {
      id: item.id,
      name: item.metadata?.name ?? '',
      attempt: item.metadata?.attempt ?? 0,
      sandboxId: item.podSandboxId,
      state: status.state,
      status,
    }
  }

  async #readStatus(containerId: string, call: Call): Promise<cri.ContainerStatus | undefined> {
    try {
      const { status } = await this.#runtime.containerStatus({ containerId, verbose: false }, call)
      if (status) this.#containers.set(containerId, status)
      return status
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }
}

/** The CRI contract's only promise about failures is their string code. */
export function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'NOT_FOUND'
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
