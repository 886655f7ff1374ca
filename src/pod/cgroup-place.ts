import { posix } from 'node:path'
import { KeelsonError } from '../base/index.ts'
import { expandSlice } from '../oci/index.ts'

/**
 * Where the cgroups of pods and containers are. A pod's path tells which driver made it, so that a pod is found again
 * whatever the driver is by then.
 *
 * | driver | pod, as its caller names it | pod without a parent | container |
 * | --- | --- | --- | --- |
 * | cgroupfs | `/kubepods/pod1` | `/<instance>/<sandbox>` | `<pod>/<id>` |
 * | systemd | `kubepods-pod1.slice` | `<instance>-<sandbox>.slice` | `cri-keelson-<id>.scope` in the pod's slice |
 */
export type CgroupDriver = 'cgroupfs' | 'systemd'

/** From the root of every hierarchy. INVALID_ARGUMENT for a parent that is written for the other driver. */
export function podCgroupPath(driver: CgroupDriver, instance: string, id: string, parent: string): string {
  const isSlice = parent.endsWith('.slice')
  if (driver === 'systemd') {
    if (parent === '') return expandSlice(`${instance}-${id}.slice`)
    if (isSlice) return expandSlice(posix.basename(parent)) // a slice's name says where it is
    throw unfit(parent, 'cgroupfs', driver)
  }
  if (isSlice) throw unfit(parent, 'systemd', driver)
  if (parent === '') return `/${instance}/${id}`
  return parent.startsWith('/') ? parent : `/${parent}`
}

/** The slice of a pod; undefined where systemd did not make it. */
export function sliceOf(podPath: string): string | undefined {
  return podPath.endsWith('.slice') ? posix.basename(podPath) : undefined
}

/** Of a container or of the pod's own process. */
export function containerCgroup(podPath: string, id: string): string {
  return `${podPath}/${sliceOf(podPath) === undefined ? id : `cri-keelson-${id}.scope`}`
}

/** The same as a specification names it (linux.cgroupsPath), each driver in its own words. */
export function cgroupsPathOf(podPath: string, id: string): string {
  const slice = sliceOf(podPath)
  return slice === undefined ? `${podPath}/${id}` : `${slice}:cri-keelson:${id}`
}

function unfit(parent: string, written: CgroupDriver, driver: CgroupDriver): KeelsonError {
  return new KeelsonError(
    'INVALID_ARGUMENT',
    `cgroup parent ${parent} is written for ${written}, but the cgroup driver is ${driver}`,
    { op: 'RunPodSandbox', hint: 'give the kubelet and keelson the same cgroupDriver' },
  )
}
