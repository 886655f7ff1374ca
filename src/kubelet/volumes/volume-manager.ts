import { chmod, chown, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as cri from '../../../cri/types.ts'
import { type Container, type Pod, type Volume, type VolumeMount, wholeValue } from '../../api/index.ts'
import { type Cleanup, KeelsonError } from '../../base/index.ts'
import { expand } from '../expand.ts'
import { identityOf } from '../pod-identity.ts'
import { dataLink, showFiles } from './atomic-files.ts'
import { ensureHostPath } from './host-path.ts'
import { type ProjectionSources, projectedFiles } from './projection.ts'
import { openSubPath } from './sub-path.ts'

/** Mounts file systems for the volumes that need one of their own. */
export interface VolumeMounter {
  /** Mounts a tmpfs; a second call for the same directory changes nothing. `sizeBytes` 0: no limit. */
  mountTmpfs(directory: string, sizeBytes: number): Promise<void>
  /** Unmounts what is mounted there; nothing mounted is well too. */
  unmount(directory: string): Promise<void>
}

export interface VolumeManagerOptions {
  /** Folder of all pods' data: `<podsDirectory>/<uid>/volumes/<kind>/<name>`. */
  podsDirectory: string
  /** Without one, memory-backed emptyDirs are refused. */
  mounter?: VolumeMounter | undefined
}

/** Where a volume is on the host. */
export interface VolumePlace {
  path: string
  /** Its files come from the API: a container only reads them. */
  projected: boolean
}

const memoryKind = 'memory'

/** Makes the volumes of pods: a directory each, or a place on the host. */
export class VolumeManager {
  readonly #options: VolumeManagerOptions

  constructor(options: VolumeManagerOptions) {
    this.#options = options
  }

  podDirectory(uid: string): string {
    return join(this.#options.podsDirectory, uid)
  }

  /** Brings every volume of the pod to what it should show now; the result maps volume names to places. */
  async prepare(pod: Pod, sources: ProjectionSources): Promise<Map<string, VolumePlace>> {
    const places = new Map<string, VolumePlace>()
    for (const volume of pod.spec.volumes ?? []) {
      try {
        places.set(volume.name, await this.#place(pod, volume, sources))
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        throw new KeelsonError(
          'FAILED_PRECONDITION',
          `MountVolume.SetUp failed for volume "${volume.name}" : ${message}`,
          { op: 'mount volume', id: volume.name, cause: error },
        )
      }
    }
    return places
  }

  /** Uids of pods that have data on this node. */
  async podUids(): Promise<string[]> {
    return readdir(this.#options.podsDirectory).catch(() => [])
  }

  /** Removes all data of a pod. Its containers must be gone. */
  async remove(uid: string): Promise<void> {
    const memory = join(this.podDirectory(uid), 'volumes', memoryKind)
    // A mount left below would have its contents deleted with the directory, so it goes first.
    for (const name of await readdir(memory).catch(() => []))
      await this.#options.mounter?.unmount(join(memory, name))
    await rm(this.podDirectory(uid), { recursive: true, force: true })
  }

  async #place(pod: Pod, volume: Volume, sources: ProjectionSources): Promise<VolumePlace> {
    if (volume.hostPath) {
      await ensureHostPath(volume.hostPath.path, volume.hostPath.type)
      return { path: volume.hostPath.path, projected: false }
    }
    if (volume.emptyDir)
      return { path: await this.#emptyDir(pod, volume.name, volume.emptyDir), projected: false }
    const files = projectedFiles(pod, volume, sources)
    if (!files) {
      const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'empty'
      throw new KeelsonError('UNIMPLEMENTED', `volumes of type ${kind} are not supported yet`)
    }
    const gid = pod.spec.securityContext?.fsGroup
    if (gid !== undefined) for (const file of files.values()) file.mode |= 0o440
    const directory = this.#directory(pod, 'projected', volume.name)
    await showFiles(directory, files, gid)
    return { path: directory, projected: true }
  }

  async #emptyDir(pod: Pod, name: string, source: NonNullable<Volume['emptyDir']>): Promise<string> {
    const { medium = '', sizeLimit } = source
    const directory = this.#directory(pod, medium === '' ? 'empty-dir' : memoryKind, name)
    const made = await mkdir(directory, { recursive: true })
    if (medium === 'Memory') {
      if (!this.#options.mounter)
        throw new KeelsonError('UNIMPLEMENTED', 'emptyDir with medium Memory is not supported here')
      await this.#options.mounter.mountTmpfs(directory, sizeLimit ? wholeValue(sizeLimit) : 0)
    } else if (medium !== '') {
      throw new KeelsonError('UNIMPLEMENTED', `emptyDir with medium ${medium} is not supported yet`)
    }
    if (made !== undefined) await openToPod(directory, pod.spec.securityContext?.fsGroup)
    return directory
  }

  #directory(pod: Pod, kind: string, name: string): string {
    return join(this.podDirectory(identityOf(pod).uid), 'volumes', kind, name)
  }
}

/** Any user of the pod may write; with an fsGroup new files belong to that group. */
async function openToPod(directory: string, gid: number | undefined): Promise<void> {
  if (gid !== undefined) await chown(directory, 0, gid)
  await chmod(directory, gid === undefined ? 0o777 : 0o2777)
}

/** The CRI mounts of a container's volumeMounts. What a subPath holds open is handed to `undo`. */
export async function volumeMounts(
  container: Container,
  places: ReadonlyMap<string, VolumePlace>,
  environment: ReadonlyMap<string, string>,
  undo: Cleanup,
): Promise<cri.Mount[]> {
  const mounts: cri.Mount[] = []
  for (const mount of container.volumeMounts ?? []) {
    const place = places.get(mount.name)
    if (place === undefined)
      throw new KeelsonError(
        'FAILED_PRECONDITION',
        `container ${container.name} mounts unknown volume ${mount.name}`,
      )
    const subPath = mount.subPathExpr
      ? expand(mount.subPathExpr, (name) => environment.get(name))
      : (mount.subPath ?? '')
    // A projected volume shows its files through a link of our own, which openSubPath would refuse: step over it.
    const from = place.projected ? join(place.path, dataLink) : place.path
    const hostPath = subPath === '' ? place.path : (await undo.use(openSubPath(from, subPath))).path
    mounts.push(criMount(mount, hostPath, place.projected))
  }
  return mounts
}

function criMount(mount: VolumeMount, hostPath: string, projected: boolean): cri.Mount {
  const propagation = {
    HostToContainer: cri.MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
    Bidirectional: cri.MountPropagation.PROPAGATION_BIDIRECTIONAL,
    None: cri.MountPropagation.PROPAGATION_PRIVATE,
  }
  return cri.Mount.fromPartial({
    containerPath: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
    hostPath,
    // Files that the API owns are never written by a container, as upstream.
    readonly: projected || mount.readOnly === true,
    recursiveReadOnly: mount.readOnly === true && mount.recursiveReadOnly === 'Enabled',
    propagation:
      propagation[(mount.mountPropagation ?? 'None') as keyof typeof propagation] ?? propagation.None,
  })
}
