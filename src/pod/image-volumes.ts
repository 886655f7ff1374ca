import { posix } from 'node:path'
import type { ContainerConfig, Mount } from '../../cri/types.ts'
import { KeelsonError } from '../base/index.ts'
import type { Image } from '../image/index.ts'
import type { LayerStack } from '../oci/index.ts'
import type { PodContext } from './context.ts'
import type { ContainerRecord, ImageVolume } from './records.ts'

/**
 * Volumes that are images (Kubernetes' `image` volume source). Nothing is mounted for them but in the containers: each
 * start takes the layers as one detached read-only tree, so neither a crash nor a restart has anything to take back.
 * That the layers are still there, whatever becomes of the image, is the affair of a snapshot that nobody writes to,
 * one for each sandbox and image; it goes with the sandbox.
 */
export async function imageVolumesOf(
  { images }: Pick<PodContext, 'images'>,
  config: ContainerConfig,
): Promise<ImageVolume[]> {
  const volumes = config.mounts.filter(isImageVolume).map(async (mount): Promise<ImageVolume> => {
    const name = mount.image?.image ?? ''
    const image = images.find(name)
    if (!image) throw failed('NOT_FOUND', `image ${JSON.stringify(name)} is not present`, 'pull it first')
    return {
      destination: destinationOf(mount),
      imageId: image.id,
      subPath: await subPath(images, image, mount),
    }
  })
  return Promise.all(volumes)
}

export function isImageVolume({ image }: Mount): boolean {
  return (image?.image ?? '') !== ''
}

/** Repeatable: containers of one pod share it. */
export async function keepLayers(
  { images }: Pick<PodContext, 'images'>,
  sandboxId: string,
  volumes: readonly ImageVolume[],
): Promise<void> {
  for (const { imageId } of volumes) await images.snapshots.prepare(volumeKey(sandboxId, imageId), imageId)
}

export async function releaseLayers(
  { images }: Pick<PodContext, 'images'>,
  sandboxId: string,
): Promise<void> {
  for (const key of images.snapshots.keys(`${sandboxId}.`)) await images.snapshots.remove(key)
}

/** For the runtime: what lies at which place of the container. */
export function layerMountsOf(
  { images }: Pick<PodContext, 'images'>,
  { sandboxId, imageVolumes = [] }: ContainerRecord,
): Record<string, LayerStack> {
  return Object.fromEntries(
    imageVolumes.map(({ destination, imageId, subPath }) => {
      const snapshot = images.snapshots.find(volumeKey(sandboxId, imageId))
      if (!snapshot) throw failed('DATA_LOSS', `the layers of ${imageId} are gone`)
      return [destination, { lower: snapshot.lower, path: subPath }]
    }),
  )
}

/** The kubelet keeps images whose id it finds here; `image_ref` is what PullImage answered. */
export function statusMounts({ config, imageVolumes = [] }: ContainerRecord): Mount[] {
  return config.mounts.map((mount) => {
    const volume = imageVolumes.find(({ destination }) => destination === destinationOf(mount))
    if (!volume || !mount.image) return mount
    return { ...mount, image: { ...mount.image, image: volume.imageId, imageRef: volume.imageId } }
  })
}

/** A mount's place in the container, as the specification has it. */
export function destinationOf({ containerPath }: Mount): string {
  return posix.resolve('/', containerPath)
}

const digestCharacters = 32

function volumeKey(sandboxId: string, imageId: string): string {
  return `${sandboxId}.${imageId.slice(imageId.indexOf(':') + 1).slice(0, digestCharacters)}`
}

/** The sandbox whose volume the snapshot of this key is; undefined for that of a container. */
export function sandboxOfVolume(key: string): string | undefined {
  const [sandboxId, digest] = key.split('.')
  return digest === undefined ? undefined : sandboxId
}

async function subPath(images: PodContext['images'], { id }: Image, mount: Mount): Promise<string> {
  const path = mount.imageSubPath
  if (path === '') return ''
  if (posix.isAbsolute(path) || path.split('/').includes('..'))
    throw failed('INVALID_ARGUMENT', `the sub path ${JSON.stringify(path)} does not stay inside the image`)
  if (await images.has(id, path)) return path
  throw failed('INVALID_ARGUMENT', `the image ${mount.image?.image} has no ${JSON.stringify(path)}`)
}

/** With the word at its front by which the kubelet knows that it was the volume (cri-api, errors.go). */
function failed(code: 'NOT_FOUND' | 'INVALID_ARGUMENT' | 'DATA_LOSS', message: string, hint?: string) {
  return new KeelsonError(code, `ImageVolumeMountFailed: ${message}`, {
    op: 'CreateContainer',
    ...(hint === undefined ? {} : { hint }),
  })
}
