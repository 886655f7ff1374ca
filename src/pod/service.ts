import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ImageService, RuntimeService, StreamingUrls } from '../../cri/service.ts'
import {
  Container,
  ContainerStats,
  Image,
  PodSandbox,
  PodSandboxMetrics,
  PodSandboxStats,
  StreamContainerStatsResponse,
  StreamContainersResponse,
  StreamImagesResponse,
  StreamPodSandboxesResponse,
  StreamPodSandboxMetricsResponse,
  StreamPodSandboxStatsResponse,
} from '../../cri/types.ts'
import type { Clock, Logger } from '../base/index.ts'
import type { NamespacePins } from '../kernel/index.ts'
import type { Ledger } from '../ledger/index.ts'
import type { PodNetwork } from '../network/index.ts'
import { type Runtime, readAppArmor, readCgroupLayout, type SystemdSlices } from '../oci/index.ts'
import { attach } from './attach.ts'
import { checkpointContainer } from './checkpoint-container.ts'
import { checkpointPod } from './checkpoint-pod.ts'
import { inChunks } from './chunks.ts'
import { containerEvents, type PodEvent } from './container-events.ts'
import { containerStats, listContainerStats } from './container-stats.ts'
import { type ContainerLimits, nowNs, type PodContext, type PodImages } from './context.ts'
import { CpuMeter } from './cpu-meter.ts'
import { createContainer } from './create-container.ts'
import { EventFeed } from './event-feed.ts'
import { exec } from './exec.ts'
import { execSync } from './exec-sync.ts'
import { Holders } from './holders.ts'
import { readHostLimits } from './host-limits.ts'
import { imageFsInfo, imageStatus, listImages, pullImage, removeImage } from './images.ts'
import { Joined } from './joined.ts'
import { containerStatusOf, listContainers, listPodSandbox, podSandboxStatus } from './lists.ts'
import { Lives } from './lives.ts'
import { listMetricDescriptors, listPodSandboxMetrics, podSandboxMetrics } from './metrics/index.ts'
import { PodCgroups } from './pod-cgroup.ts'
import { listPodSandboxStats, podSandboxStats } from './pod-sandbox-stats.ts'
import { portForward } from './port-forward.ts'
import { Readiness } from './readiness.ts'
import { recover } from './recovery.ts'
import { removeContainer } from './remove-container.ts'
import { removePodSandbox } from './remove-pod-sandbox.ts'
import { reopenContainerLog } from './reopen-container-log.ts'
import { restorePod } from './restore-pod.ts'
import { runPodSandbox } from './run-pod-sandbox.ts'
import { runtimeConfig, status, version } from './runtime-status.ts'
import { startContainer } from './start-container.ts'
import { stopContainer } from './stop-container.ts'
import { stopPodSandbox } from './stop-pod-sandbox.ts'
import { PodStore } from './store.ts'
import { Turns } from './turns.ts'
import { updateContainerResources } from './update-container-resources.ts'
import { updatePodSandboxResources } from './update-pod-sandbox-resources.ts'
import { updateRuntimeConfig } from './update-runtime-config.ts'
import { UserFiles } from './user-files.ts'

export interface PodServiceOptions {
  runtime: Runtime
  images: PodImages
  network: PodNetwork
  pins: NamespacePins
  ledger: Ledger
  /** Name of the top cgroup in every hierarchy. */
  cgroupInstance: string
  /** Pods are placed in slices of systemd; the runtime's manager is systemd then. Default: the cgroupfs driver. */
  slices?: SystemdSlices
  /** Lost at reboot, as pods are: `/run/keelson`. */
  runDirectory: string
  /** Default: no limit of processes, a drain of 250 ms, 16 MiB of each output of ExecSync, as much disk as there is. */
  containers?: ContainerLimits
  /** Default: /etc/cdi and /var/run/cdi. */
  cdiDirectories?: readonly string[]
  /** Handlers that a caller may name beside the one without a name. Default: keelson. */
  runtimeHandlers?: readonly string[]
  /** Folders in which criu is looked for, as in PATH; without them there are no checkpoints. */
  programPath?: string
  /** Of keelson, told by Version. */
  version: string
  /** Without it Exec, Attach and PortForward are UNIMPLEMENTED. */
  streaming?: StreamingUrls
  clock: Clock
  log: Logger
}

export interface PodService extends AsyncDisposable {
  readonly runtime: RuntimeService
  readonly image: ImageService
}

const usualLimits: ContainerLimits = {
  pidsMax: 0,
  execDrainMs: 250,
  execSyncBytesMax: 16 * 1024 * 1024,
  writableLayerBytesMax: 0,
}

/**
 * Pods on this host, as CRI has them. Before it returns, what an earlier process left running is found again.
 * Disposing stops watching and leaves every container as it is; what was handed in stays the caller's.
 */
export async function createPodService(options: PodServiceOptions): Promise<PodService> {
  const { clock, log } = options
  const filesDirectory = join(options.runDirectory, 'pods')
  await mkdir(filesDirectory, { recursive: true, mode: 0o711 })
  const store = new PodStore(options.ledger, () => nowNs(clock))
  const context: PodContext = {
    ...options,
    streaming: options.streaming,
    containers: options.containers ?? usualLimits,
    cdiDirectories: options.cdiDirectories ?? ['/etc/cdi', '/var/run/cdi'],
    runtimeHandlers: ['', ...(options.runtimeHandlers ?? ['keelson'])],
    store,
    userFiles: new UserFiles(options.images),
    filesDirectory,
    slices: options.slices,
    cgroupLayout: readCgroupLayout(),
    cgroups: new PodCgroups(store),
    cpuMeter: new CpuMeter(),
    programPath: options.programPath ?? '',
    turns: new Turns(),
    lives: new Lives({ store, clock, log }),
    holders: new Holders({ store, clock, log }),
    host: {
      ...readHostLimits(
        await readFile('/proc/self/status', 'utf8'),
        await readFile('/proc/self/oom_score_adj', 'utf8'),
      ),
      appArmor: readAppArmor() !== undefined,
    },
    joined: {
      sandboxes: new Joined(),
      restores: new Joined(),
      containers: new Joined(),
      starts: new Joined(),
      removals: new Joined(),
    },
  }
  store.onChange(({ cause, sandbox, container }) => {
    if (cause === 'deleted') context.cpuMeter.forget((container ?? sandbox).id)
  })
  const events = new EventFeed<PodEvent>(clock)
  store.onChange((change) => events.push({ ...change, containers: store.containersOf(change.sandbox.id) }))
  await recover(context)
  return {
    runtime: runtimeService(context, events, options.version),
    image: imageService(context),
    async [Symbol.asyncDispose]() {
      await Promise.all(Object.values(context.joined).map((joined) => joined.idle()))
      await context.lives.close()
      await context.holders.close()
    },
  }
}

function runtimeService(
  context: PodContext,
  events: EventFeed<PodEvent>,
  runtimeVersion: string,
): RuntimeService {
  const readiness = new Readiness(context)
  return {
    version: async () => version(runtimeVersion),
    status: (request) => status(context, readiness, request),
    runtimeConfig: async () => runtimeConfig(context),
    updateRuntimeConfig: async (request) => updateRuntimeConfig(context, request),
    runPodSandbox: (request) => runPodSandbox(context, request),
    stopPodSandbox: (request) => stopPodSandbox(context, request),
    removePodSandbox: (request) => removePodSandbox(context, request),
    podSandboxStatus: (request) => podSandboxStatus(context, request),
    listPodSandbox: async (request) => listPodSandbox(context, request),
    async *streamPodSandboxes(request) {
      for await (const podSandboxes of inChunks(listPodSandbox(context, request).items, PodSandbox))
        yield StreamPodSandboxesResponse.fromPartial({ podSandboxes })
    },
    createContainer: (request) => createContainer(context, request),
    startContainer: (request) => startContainer(context, request),
    stopContainer: (request, call) => stopContainer(context, request, call),
    removeContainer: (request) => removeContainer(context, request),
    listContainers: async (request) => listContainers(context, request),
    async *streamContainers(request) {
      for await (const containers of inChunks(listContainers(context, request).containers, Container))
        yield StreamContainersResponse.fromPartial({ containers })
    },
    containerStatus: (request) => containerStatusOf(context, request),
    updateContainerResources: (request) => updateContainerResources(context, request),
    updatePodSandboxResources: (request) => updatePodSandboxResources(context, request),
    reopenContainerLog: (request) => reopenContainerLog(context, request),
    execSync: (request, call) => execSync(context, request, call),
    exec: (request) => exec(context, request),
    attach: (request) => attach(context, request),
    portForward: (request) => portForward(context, request),
    containerStats: (request) => containerStats(context, request),
    listContainerStats: (request) => listContainerStats(context, request),
    async *streamContainerStats(request) {
      for await (const stats of inChunks((await listContainerStats(context, request)).stats, ContainerStats))
        yield StreamContainerStatsResponse.fromPartial({ containerStats: stats })
    },
    podSandboxStats: (request) => podSandboxStats(context, request),
    listPodSandboxStats: (request) => listPodSandboxStats(context, request),
    async *streamPodSandboxStats(request) {
      for await (const stats of inChunks(
        (await listPodSandboxStats(context, request)).stats,
        PodSandboxStats,
      ))
        yield StreamPodSandboxStatsResponse.fromPartial({ podSandboxStats: stats })
    },
    listMetricDescriptors: async () => listMetricDescriptors(),
    listPodSandboxMetrics: () => listPodSandboxMetrics(context),
    async *streamPodSandboxMetrics() {
      for await (const metrics of inChunks(podSandboxMetrics(context), PodSandboxMetrics))
        yield StreamPodSandboxMetricsResponse.fromPartial({ podSandboxMetrics: metrics })
    },
    checkpointContainer: (request, call) => checkpointContainer(context, request, call),
    checkpointPod: (request, call) => checkpointPod(context, request, call),
    restorePod: (request) => restorePod(context, request),
    getContainerEvents: (_request, { signal }) => containerEvents(events.read(signal)),
  }
}

function imageService(context: PodContext): ImageService {
  return {
    listImages: async (request) => listImages(context, request),
    async *streamImages(request) {
      for await (const images of inChunks(listImages(context, request).images, Image))
        yield StreamImagesResponse.fromPartial({ images })
    },
    imageStatus: async (request) => imageStatus(context, request),
    pullImage: (request, call) => pullImage(context, request, call),
    removeImage: (request) => removeImage(context, request),
    imageFsInfo: () => imageFsInfo(context),
  }
}
