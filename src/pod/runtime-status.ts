import {
  CgroupDriver,
  RuntimeConfigResponse,
  type StatusRequest,
  StatusResponse,
  VersionResponse,
} from '../../cri/types.ts'
import type { PodContext } from './context.ts'
import type { Readiness } from './readiness.ts'

/** `version` is the kubelet API's, a literal that never changed. */
export function version(runtimeVersion: string): VersionResponse {
  return VersionResponse.fromPartial({
    version: '0.1.0',
    runtimeName: 'keelson',
    runtimeVersion,
    runtimeApiVersion: 'v1',
  })
}

export async function status(
  context: PodContext,
  readiness: Readiness,
  { verbose }: StatusRequest,
): Promise<StatusResponse> {
  const { network, host, runtimeHandlers, cgroupLayout, slices, filesDirectory } = context
  const { ready, reason, message } = await network.status()
  const [runtime, users] = await Promise.all([readiness.condition(), readiness.userNamespaces()])
  return StatusResponse.fromPartial({
    status: {
      conditions: [
        { type: 'RuntimeReady', ...runtime },
        { type: 'NetworkReady', status: ready, reason, message },
      ],
    },
    info: verbose
      ? {
          host: JSON.stringify(host),
          config: JSON.stringify({
            cgroupDriver: slices ? 'systemd' : 'cgroupfs',
            cgroupMode: cgroupLayout.mode,
            filesDirectory,
            containers: context.containers,
            cdiDirectories: context.cdiDirectories,
            runtimeHandlers,
          }),
        }
      : {},
    runtimeHandlers: runtimeHandlers.map((name) => ({
      name,
      features: { recursiveReadOnlyMounts: true, userNamespaces: users },
    })),
    features: { supplementalGroupsPolicy: true, userNamespacesHostNetwork: users, mountOptions: true },
  })
}

export function runtimeConfig({ slices }: PodContext): RuntimeConfigResponse {
  const cgroupDriver = slices ? CgroupDriver.SYSTEMD : CgroupDriver.CGROUPFS
  return RuntimeConfigResponse.fromPartial({ linux: { cgroupDriver } })
}
