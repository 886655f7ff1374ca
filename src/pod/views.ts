import {
  Container,
  type ContainerConfig,
  ContainerState,
  ContainerStatus,
  PodSandbox,
  PodSandboxState,
  PodSandboxStatus,
} from '../../cri/types.ts'
import { statusMounts } from './image-volumes.ts'
import type { ContainerRecord, SandboxRecord } from './records.ts'

/** Records in CRI's words. Pure. */
export function sandboxState({ stoppedAtNs }: SandboxRecord): PodSandboxState {
  return stoppedAtNs === undefined ? PodSandboxState.SANDBOX_READY : PodSandboxState.SANDBOX_NOTREADY
}

export function containerState({ exit, startedAtNs }: ContainerRecord): ContainerState {
  if (exit) return ContainerState.CONTAINER_EXITED
  return startedAtNs === undefined ? ContainerState.CONTAINER_CREATED : ContainerState.CONTAINER_RUNNING
}

export function sandboxItem(record: SandboxRecord): PodSandbox {
  const { config } = record
  return PodSandbox.fromPartial({
    id: record.id,
    ...(config.metadata ? { metadata: config.metadata } : {}),
    state: sandboxState(record),
    createdAt: record.createdAtNs,
    labels: config.labels,
    annotations: config.annotations,
    runtimeHandler: record.runtimeHandler,
  })
}

export function sandboxStatus(record: SandboxRecord): PodSandboxStatus {
  const [ip = '', ...additional] = record.addresses
  const options = record.config.linux?.securityContext?.namespaceOptions
  return PodSandboxStatus.fromPartial({
    ...sandboxItem(record),
    network: { ip, additionalIps: additional.map((address) => ({ ip: address })) },
    linux: { namespaces: options ? { options } : {} },
  })
}

export function containerItem(record: ContainerRecord): Container {
  const { config } = record
  return Container.fromPartial({
    id: record.id,
    podSandboxId: record.sandboxId,
    ...(config.metadata ? { metadata: config.metadata } : {}),
    image: config.image ?? { image: record.imageName },
    imageRef: record.imageRef,
    imageId: record.imageId,
    state: containerState(record),
    createdAt: record.createdAtNs,
    labels: config.labels,
    annotations: config.annotations,
  })
}

export function containerStatus(record: ContainerRecord): ContainerStatus {
  const { config, exit, user } = record
  return ContainerStatus.fromPartial({
    id: record.id,
    ...(config.metadata ? { metadata: config.metadata } : {}),
    state: containerState(record),
    createdAt: record.createdAtNs,
    startedAt: record.startedAtNs ?? 0n,
    finishedAt: exit?.finishedAtNs ?? 0n,
    exitCode: exit?.exitCode ?? 0,
    reason: exit?.reason ?? '',
    message: exit?.message ?? '',
    image: { ...config.image, image: record.imageName },
    imageRef: record.imageRef,
    imageId: record.imageId,
    labels: config.labels,
    annotations: config.annotations,
    mounts: statusMounts(record),
    logPath: record.logPath,
    ...resourcesOf(config),
    user: {
      linux: {
        uid: BigInt(user.uid),
        gid: BigInt(user.gid),
        supplementalGroups: user.additionalGids.map(BigInt),
      },
    },
    stopSignal: config.stopSignal,
  })
}

function resourcesOf({ linux }: ContainerConfig) {
  return linux?.resources ? { resources: { linux: linux.resources } } : {}
}
