import {
  ContainerConfig,
  CreateContainerRequest,
  type DeepPartial,
  NamespaceMode,
  PodSandboxConfig,
  RunPodSandboxRequest,
} from '../../cri/types.ts'

type PodConfigPart = DeepPartial<PodSandboxConfig>
type ContainerConfigPart = DeepPartial<ContainerConfig>

const namespaceOptions = { network: NamespaceMode.POD, ipc: NamespaceMode.POD, pid: NamespaceMode.CONTAINER }

export function podConfig(name: string, more: PodConfigPart = {}): PodSandboxConfig {
  return PodSandboxConfig.fromPartial({
    metadata: { name, uid: `uid-${name}`, namespace: 'default', attempt: 0 },
    hostname: name,
    logDirectory: '',
    linux: { securityContext: { namespaceOptions } },
    ...more,
  } as PodConfigPart)
}

export function runRequest(config: PodSandboxConfig, runtimeHandler = ''): RunPodSandboxRequest {
  return RunPodSandboxRequest.fromPartial({ config, runtimeHandler })
}

export function containerConfig(name: string, more: ContainerConfigPart = {}): ContainerConfig {
  return ContainerConfig.fromPartial({
    metadata: { name, attempt: 0 },
    image: { image: 'nginx:1.7.9' },
    linux: { securityContext: { namespaceOptions } },
    ...more,
  } as ContainerConfigPart)
}

export function createRequest(podSandboxId: string, config: ContainerConfig): CreateContainerRequest {
  return CreateContainerRequest.fromPartial({ podSandboxId, config })
}
