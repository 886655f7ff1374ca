import type { ContainerState } from '../../oci/index.ts'

/** The state as `state` and `list` print it: the specification's fields, then runc's, in runc's order. */
export interface StateDocument {
  ociVersion: string
  id: string
  pid: number
  status: string
  bundle: string
  rootfs?: string
  /** RFC 3339 with nanoseconds, UTC. */
  created: string
  annotations?: Record<string, string>
  owner: string
}

export function stateDocument(state: ContainerState): StateDocument {
  const { ociVersion, id, pid, status, bundle, rootfs, annotations, createdAtNs } = state
  return {
    ociVersion,
    id,
    pid: status === 'stopped' ? 0 : pid,
    status,
    bundle,
    ...(rootfs === undefined ? {} : { rootfs }),
    created: rfc3339Nano(createdAtNs),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    owner: 'root', // containers of others cannot be made yet
  }
}

export function rfc3339Nano(ns: bigint): string {
  const seconds = new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19)
  const fraction = String(ns % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '')
  return `${seconds}${fraction === '' ? '' : `.${fraction}`}Z`
}
