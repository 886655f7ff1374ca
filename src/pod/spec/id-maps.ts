import { type IDMapping, NamespaceMode, type UserNamespace } from '../../../cri/types.ts'
import { KeelsonError } from '../../base/index.ts'
import type { IdMapping } from '../../oci/index.ts'

/** The map of a pod that has a user namespace of its own: one range of users, one of groups, root among them. */
export interface PodIdMaps {
  uids: IdMapping[]
  gids: IdMapping[]
}

/**
 * Undefined for a pod in the host's user namespace. INVALID_ARGUMENT for what CRI does not allow: other modes than POD
 * and NODE, none or several ranges, a range without root, ranges beside NODE.
 */
export function podIdMaps(asked: UserNamespace | undefined): PodIdMaps | undefined {
  if (!asked) return undefined
  const { mode, uids, gids } = asked
  if (mode === NamespaceMode.POD) return { uids: only(uids, 'uids'), gids: only(gids, 'gids') }
  if (mode !== NamespaceMode.NODE)
    throw invalid(`the user namespace mode ${NamespaceMode[mode]} is not for pods: there are POD and NODE`)
  if (uids.length + gids.length > 0) throw invalid('the user namespace of the node takes no mappings')
  return undefined
}

function only(mappings: readonly IDMapping[], name: string): IdMapping[] {
  const [mapping] = mappings
  if (!mapping || mappings.length > 1)
    throw invalid(`a pod's user namespace has exactly one mapping of ${name}, not ${mappings.length}`)
  const { containerId, hostId, length } = mapping
  if (containerId !== 0) throw invalid(`the mapping of ${name} has to begin with id 0 of the container`)
  if (length === 0 || hostId + length > 2 ** 32 - 1)
    throw invalid(`the mapping of ${name}: ${length} ids from ${hostId} on do not exist`)
  return ociMappings(mappings)
}

/** CRI's mappings in the runtime specification's words. */
export function ociMappings(mappings: readonly IDMapping[]): IdMapping[] {
  return mappings.map(({ containerId, hostId, length }) => ({
    containerID: containerId,
    hostID: hostId,
    size: length,
  }))
}

/** Who is root of the pod, as the host sees it. */
export function rootOf(maps: PodIdMaps | undefined): { uid: number; gid: number } {
  return { uid: maps?.uids[0]?.hostID ?? 0, gid: maps?.gids[0]?.hostID ?? 0 }
}

/** A container says nothing of its own about users, or the same as its pod. */
export function checkSameMaps(asked: UserNamespace | undefined, maps: PodIdMaps | undefined): void {
  if (!asked || JSON.stringify(podIdMaps(asked)) === JSON.stringify(maps)) return
  throw invalid('the container asks for another user namespace than its pod has')
}

function invalid(message: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', message)
}
