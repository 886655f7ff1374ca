import type { Duplex, Readable, Writable } from 'node:stream'
import type {
  AttachRequest,
  AttachResponse,
  CheckpointContainerRequest,
  CheckpointContainerResponse,
  CheckpointPodRequest,
  CheckpointPodResponse,
  ContainerEventResponse,
  ContainerStatsRequest,
  ContainerStatsResponse,
  ContainerStatusRequest,
  ContainerStatusResponse,
  CreateContainerRequest,
  CreateContainerResponse,
  ExecRequest,
  ExecResponse,
  ExecSyncRequest,
  ExecSyncResponse,
  GetEventsRequest,
  ImageFsInfoRequest,
  ImageFsInfoResponse,
  ImageStatusRequest,
  ImageStatusResponse,
  ListContainerStatsRequest,
  ListContainerStatsResponse,
  ListContainersRequest,
  ListContainersResponse,
  ListImagesRequest,
  ListImagesResponse,
  ListMetricDescriptorsRequest,
  ListMetricDescriptorsResponse,
  ListPodSandboxMetricsRequest,
  ListPodSandboxMetricsResponse,
  ListPodSandboxRequest,
  ListPodSandboxResponse,
  ListPodSandboxStatsRequest,
  ListPodSandboxStatsResponse,
  PodSandboxStatsRequest,
  PodSandboxStatsResponse,
  PodSandboxStatusRequest,
  PodSandboxStatusResponse,
  PortForwardRequest,
  PortForwardResponse,
  PullImageRequest,
  PullImageResponse,
  RemoveContainerRequest,
  RemoveContainerResponse,
  RemoveImageRequest,
  RemoveImageResponse,
  RemovePodSandboxRequest,
  RemovePodSandboxResponse,
  ReopenContainerLogRequest,
  ReopenContainerLogResponse,
  RestorePodRequest,
  RestorePodResponse,
  RunPodSandboxRequest,
  RunPodSandboxResponse,
  RuntimeConfigRequest,
  RuntimeConfigResponse,
  StartContainerRequest,
  StartContainerResponse,
  StatusRequest,
  StatusResponse,
  StopContainerRequest,
  StopContainerResponse,
  StopPodSandboxRequest,
  StopPodSandboxResponse,
  StreamContainerStatsRequest,
  StreamContainerStatsResponse,
  StreamContainersRequest,
  StreamContainersResponse,
  StreamImagesRequest,
  StreamImagesResponse,
  StreamPodSandboxesRequest,
  StreamPodSandboxesResponse,
  StreamPodSandboxMetricsRequest,
  StreamPodSandboxMetricsResponse,
  StreamPodSandboxStatsRequest,
  StreamPodSandboxStatsResponse,
  UpdateContainerResourcesRequest,
  UpdateContainerResourcesResponse,
  UpdatePodSandboxResourcesRequest,
  UpdatePodSandboxResourcesResponse,
  UpdateRuntimeConfigRequest,
  UpdateRuntimeConfigResponse,
  VersionRequest,
  VersionResponse,
} from './types.ts'

/**
 * The CRI contract as plain interfaces (cri-api runtime/v1). An implementation may be called in process or put
 * behind a socket with `serveCri`; `connectCri` gives a client of the same type, so callers cannot tell them
 * apart. Failures are errors with a string `code` (see status.ts for the gRPC status each becomes).
 */

/** What comes with a call beside its request. `signal` aborts when the caller gave up or its deadline passed. */
export interface Call {
  readonly signal: AbortSignal
}

/** Sandboxes and containers: one method per RPC of runtime.v1.RuntimeService. */
export interface RuntimeService {
  version(request: VersionRequest, call: Call): Promise<VersionResponse>
  runPodSandbox(request: RunPodSandboxRequest, call: Call): Promise<RunPodSandboxResponse>
  stopPodSandbox(request: StopPodSandboxRequest, call: Call): Promise<StopPodSandboxResponse>
  removePodSandbox(request: RemovePodSandboxRequest, call: Call): Promise<RemovePodSandboxResponse>
  podSandboxStatus(request: PodSandboxStatusRequest, call: Call): Promise<PodSandboxStatusResponse>
  listPodSandbox(request: ListPodSandboxRequest, call: Call): Promise<ListPodSandboxResponse>
  streamPodSandboxes(
    request: StreamPodSandboxesRequest,
    call: Call,
  ): AsyncIterable<StreamPodSandboxesResponse>
  createContainer(request: CreateContainerRequest, call: Call): Promise<CreateContainerResponse>
  startContainer(request: StartContainerRequest, call: Call): Promise<StartContainerResponse>
  stopContainer(request: StopContainerRequest, call: Call): Promise<StopContainerResponse>
  removeContainer(request: RemoveContainerRequest, call: Call): Promise<RemoveContainerResponse>
  listContainers(request: ListContainersRequest, call: Call): Promise<ListContainersResponse>
  streamContainers(request: StreamContainersRequest, call: Call): AsyncIterable<StreamContainersResponse>
  containerStatus(request: ContainerStatusRequest, call: Call): Promise<ContainerStatusResponse>
  updateContainerResources(
    request: UpdateContainerResourcesRequest,
    call: Call,
  ): Promise<UpdateContainerResourcesResponse>
  reopenContainerLog(request: ReopenContainerLogRequest, call: Call): Promise<ReopenContainerLogResponse>
  execSync(request: ExecSyncRequest, call: Call): Promise<ExecSyncResponse>
  exec(request: ExecRequest, call: Call): Promise<ExecResponse>
  attach(request: AttachRequest, call: Call): Promise<AttachResponse>
  portForward(request: PortForwardRequest, call: Call): Promise<PortForwardResponse>
  containerStats(request: ContainerStatsRequest, call: Call): Promise<ContainerStatsResponse>
  listContainerStats(request: ListContainerStatsRequest, call: Call): Promise<ListContainerStatsResponse>
  streamContainerStats(
    request: StreamContainerStatsRequest,
    call: Call,
  ): AsyncIterable<StreamContainerStatsResponse>
  podSandboxStats(request: PodSandboxStatsRequest, call: Call): Promise<PodSandboxStatsResponse>
  listPodSandboxStats(request: ListPodSandboxStatsRequest, call: Call): Promise<ListPodSandboxStatsResponse>
  streamPodSandboxStats(
    request: StreamPodSandboxStatsRequest,
    call: Call,
  ): AsyncIterable<StreamPodSandboxStatsResponse>
  updateRuntimeConfig(request: UpdateRuntimeConfigRequest, call: Call): Promise<UpdateRuntimeConfigResponse>
  status(request: StatusRequest, call: Call): Promise<StatusResponse>
  checkpointContainer(request: CheckpointContainerRequest, call: Call): Promise<CheckpointContainerResponse>
  checkpointPod(request: CheckpointPodRequest, call: Call): Promise<CheckpointPodResponse>
  restorePod(request: RestorePodRequest, call: Call): Promise<RestorePodResponse>
  getContainerEvents(request: GetEventsRequest, call: Call): AsyncIterable<ContainerEventResponse>
  listMetricDescriptors(
    request: ListMetricDescriptorsRequest,
    call: Call,
  ): Promise<ListMetricDescriptorsResponse>
  listPodSandboxMetrics(
    request: ListPodSandboxMetricsRequest,
    call: Call,
  ): Promise<ListPodSandboxMetricsResponse>
  streamPodSandboxMetrics(
    request: StreamPodSandboxMetricsRequest,
    call: Call,
  ): AsyncIterable<StreamPodSandboxMetricsResponse>
  runtimeConfig(request: RuntimeConfigRequest, call: Call): Promise<RuntimeConfigResponse>
  updatePodSandboxResources(
    request: UpdatePodSandboxResourcesRequest,
    call: Call,
  ): Promise<UpdatePodSandboxResourcesResponse>
}

/** Images: one method per RPC of runtime.v1.ImageService. */
export interface ImageService {
  listImages(request: ListImagesRequest, call: Call): Promise<ListImagesResponse>
  streamImages(request: StreamImagesRequest, call: Call): AsyncIterable<StreamImagesResponse>
  imageStatus(request: ImageStatusRequest, call: Call): Promise<ImageStatusResponse>
  pullImage(request: PullImageRequest, call: Call): Promise<PullImageResponse>
  removeImage(request: RemoveImageRequest, call: Call): Promise<RemoveImageResponse>
  imageFsInfo(request: ImageFsInfoRequest, call: Call): Promise<ImageFsInfoResponse>
}

/**
 * Where Exec, Attach and PortForward leave their one-shot URLs: `cri/streaming` makes one, an implementation of
 * RuntimeService is handed it. The session runs when a client comes with the URL, at most once.
 */
export interface StreamingUrls {
  /** RESOURCE_EXHAUSTED when too many URLs wait for their client. */
  exec(wanted: WantedStreams, session: StreamSession): string
  attach(wanted: WantedStreams, session: StreamSession): string
  /** `dial` opens one connection to a port inside the pod. */
  portForward(ports: readonly number[], dial: (port: number) => Promise<Duplex>): string
}

/** INVALID_ARGUMENT when none is wanted, or stderr together with a terminal. */
export interface WantedStreams {
  stdin: boolean
  stdout: boolean
  stderr: boolean
  tty: boolean
}

/** The client's ends. The session ends what it writes to; `stdin` ends when the client closed it. */
export interface ClientStreams {
  readonly stdin?: Readable
  readonly stdout?: Writable
  readonly stderr?: Writable
  /** Terminal sizes as they come; the last one that came before is told at once. Zero sizes are left out. */
  onResize(listener: (size: { columns: number; rows: number }) => void): void
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal
}

/** Rejects when the process could not be run at all. */
export type StreamSession = (streams: ClientStreams) => Promise<{ exitCode: number }>
