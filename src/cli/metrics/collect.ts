import { readdirSync, readFileSync } from 'node:fs'
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import type { ImageService, RuntimeService } from '../../../cri/service.ts'
import {
  ContainerState,
  ImageFsInfoRequest,
  ListContainersRequest,
  ListImagesRequest,
  ListPodSandboxRequest,
  PodSandboxState,
} from '../../../cri/types.ts'
import type { Around } from '../around.ts'
import { commit, version } from '../version.ts'
import type { CriMetrics } from './cri-metrics.ts'

interface Services {
  runtime: RuntimeService
  image: ImageService
}

/** What is not counted as it happens but looked up when somebody asks: states, the store, this process. */
export class Collector implements Disposable {
  readonly #metrics: CriMetrics
  readonly #services: Services
  readonly #loop: IntervalHistogram = monitorEventLoopDelay({ resolution: 20 })

  constructor(metrics: CriMetrics, services: Services) {
    this.#metrics = metrics
    this.#services = services
    this.#loop.enable()
    metrics.build.set({ version, commit }, 1)
    metrics.startTime.set({}, Math.round(Date.now() - performance.now()) / 1000)
  }

  async text(): Promise<string> {
    await Promise.all([this.#states(), this.#store()])
    this.#process()
    return this.#metrics.text()
  }

  [Symbol.dispose](): void {
    this.#loop.disable()
  }

  async #states(): Promise<void> {
    const call = { signal: new AbortController().signal }
    const { runtime } = this.#services
    const [{ items }, { containers }] = await Promise.all([
      runtime.listPodSandbox(ListPodSandboxRequest.create(), call),
      runtime.listContainers(ListContainersRequest.create(), call),
    ])
    const count = <State>(all: readonly { state: State }[], state: State) =>
      all.filter((one) => one.state === state).length
    for (const [state, value] of [
      ['ready', PodSandboxState.SANDBOX_READY],
      ['notready', PodSandboxState.SANDBOX_NOTREADY],
    ] as const)
      this.#metrics.pods.set({ state }, count(items, value))
    for (const [state, value] of [
      ['created', ContainerState.CONTAINER_CREATED],
      ['running', ContainerState.CONTAINER_RUNNING],
      ['exited', ContainerState.CONTAINER_EXITED],
    ] as const)
      this.#metrics.containers.set({ state }, count(containers, value))
  }

  async #store(): Promise<void> {
    const call = { signal: new AbortController().signal }
    const { image } = this.#services
    const [{ images }, { imageFilesystems }] = await Promise.all([
      image.listImages(ListImagesRequest.create(), call),
      image.imageFsInfo(ImageFsInfoRequest.create(), call),
    ])
    this.#metrics.images.set({}, images.length)
    this.#metrics.imageBytes.set({}, Number(imageFilesystems[0]?.usedBytes?.value ?? 0n))
  }

  #process(): void {
    const { user, system } = process.cpuUsage()
    this.#metrics.cpuSeconds.set({}, (user + system) / 1e6)
    this.#metrics.residentBytes.set({}, residentBytes())
    this.#metrics.openFds.set({}, readdirSync('/proc/self/fd').length)
    this.#metrics.heapBytes.set({}, process.memoryUsage().heapUsed)
    this.#metrics.loopSeconds.set({}, this.#loop.max / 1e9)
    this.#loop.reset()
  }
}

/** VmRSS of proc_pid_status(5). */
function residentBytes(): number {
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0)
}

/** Which part of a start a step is; the others are parts of none. */
const phases: Readonly<Record<string, string>> = {
  'pins.create': 'namespaces',
  'network.setUp': 'network',
  'snapshots.prepare': 'snapshot',
  'runtime.create': 'create',
  'container.start': 'start',
  'ledger.commit': 'record',
}

/** Times the steps, those that failed too. */
export function stopwatch(metrics: CriMetrics, monotonicMs: () => number): Around {
  return async (step, call) => {
    const startedMs = monotonicMs()
    try {
      return await call()
    } finally {
      const phase = phases[step]
      if (phase) metrics.phaseSeconds.observe({ phase }, (monotonicMs() - startedMs) / 1000)
    }
  }
}
