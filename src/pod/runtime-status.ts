import { readFile } from 'node:fs/promises'
import {
  CgroupDriver,
  RuntimeConfigResponse,
  type StatusRequest,
  StatusResponse,
  VersionResponse,
} from '../../cri/types.ts'
import type { PodContext } from './context.ts'

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
  { network, host, runtimeHandlers }: PodContext,
  { verbose }: StatusRequest,
): Promise<StatusResponse> {
  const { ready, reason, message } = await network.status()
  const users = Number(await readFile('/proc/sys/user/max_user_namespaces', 'utf8').catch(() => '0')) > 0
  return StatusResponse.fromPartial({
    status: {
      conditions: [
        { type: 'RuntimeReady', status: true },
        { type: 'NetworkReady', status: ready, reason, message },
      ],
    },
    info: verbose ? { host: JSON.stringify(host) } : {},
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
