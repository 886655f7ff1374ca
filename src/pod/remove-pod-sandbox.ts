import { type RemovePodSandboxRequest, RemovePodSandboxResponse } from '../../cri/types.ts'
import { removeDirectories } from '../kernel/index.ts'
import { cgroupLeaves } from '../oci/index.ts'
import { sliceOf } from './cgroup-place.ts'
import { type PodContext, sandboxDirectory } from './context.ts'
import { removePodFiles } from './files.ts'
import { releaseLayers } from './image-volumes.ts'
import { removePodCgroup } from './pod-cgroup.ts'
import type { SandboxRecord } from './records.ts'
import { removeContainer } from './remove-container.ts'
import { stopPodSandbox } from './stop-pod-sandbox.ts'

/** Stops it if need be and forgets it with all its containers. What is unknown is a success. */
export async function removePodSandbox(
  context: PodContext,
  { podSandboxId }: RemovePodSandboxRequest,
): Promise<RemovePodSandboxResponse> {
  const found = context.store.findSandbox(podSandboxId)
  if (found) await context.joined.removals.run(`remove ${found.id}`, () => remove(context, found))
  return RemovePodSandboxResponse.create()
}

async function remove(context: PodContext, record: SandboxRecord): Promise<void> {
  await stopPodSandbox(context, { podSandboxId: record.id })
  // None is begun any more; one that is being made would otherwise outlive its pod.
  await context.joined.containers.idle()
  const containers = context.store.containersOf(record.id)
  await Promise.all(containers.map(({ id }) => removeContainer(context, { containerId: id })))
  await releaseLayers(context, record.id)
  await context.cgroups.release(record.id, (isOurs) => removeRest(context, record, isOurs))
  const last = context.store.findSandbox(record.id)
  if (last) await context.store.removeSandbox(last)
}

/** Usually nothing is left in them: one trip to another thread for the groups and the files. */
async function removeRest(context: PodContext, record: SandboxRecord, owned: boolean): Promise<void> {
  const directory = sandboxDirectory(context, record.id)
  const leaves = cgroupLeaves({ layout: context.cgroupLayout, path: record.cgroupPath })
  // A slice is stopped before its directory is gone.
  const empty = owned && sliceOf(record.cgroupPath) === undefined ? leaves : []
  const isDone = await removeDirectories({ empty, flat: directory })
  if (isDone && empty.length === leaves.length) return
  await removePodFiles(directory)
  if (owned) await removePodCgroup(context, record.cgroupPath)
}
