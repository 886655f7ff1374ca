import type { Call } from '../../cri/service.ts'
import {
  type AuthConfig,
  Image,
  ImageFsInfoResponse,
  type ImageStatusRequest,
  ImageStatusResponse,
  type ListImagesRequest,
  ListImagesResponse,
  type PullImageRequest,
  PullImageResponse,
  type RemoveImageRequest,
  RemoveImageResponse,
} from '../../cri/types.ts'
import { KeelsonError } from '../base/index.ts'
import type { RegistryAuth, Image as StoredImage } from '../image/index.ts'
import { nowNs, type PodContext } from './context.ts'

export function listImages({ images }: PodContext, { filter }: ListImagesRequest): ListImagesResponse {
  const name = filter?.image?.image ?? ''
  const found = name === '' ? images.list() : [images.find(name)].filter((one) => one !== undefined)
  return ListImagesResponse.fromPartial({ images: found.map(imageItem) })
}

/** An image that is not there is no error: the reply has none. */
export function imageStatus(
  { images }: PodContext,
  { image, verbose }: ImageStatusRequest,
): ImageStatusResponse {
  const found = images.find(nameOf(image?.image))
  if (!found) return ImageStatusResponse.create()
  return ImageStatusResponse.fromPartial({
    image: imageItem(found),
    info: verbose ? { info: JSON.stringify({ imageSpec: found.config }) } : {},
  })
}

export async function pullImage(
  { images }: PodContext,
  { image, auth }: PullImageRequest,
  { signal }: Call,
): Promise<PullImageResponse> {
  const pulled = await images.pull(nameOf(image?.image), {
    ...(auth ? { auth: registryAuth(auth) } : {}),
    signal,
  })
  return PullImageResponse.fromPartial({ imageRef: pulled.id })
}

/** With all its names, by whichever it was called. What is not there is a success. */
export async function removeImage(
  { images }: PodContext,
  { image }: RemoveImageRequest,
): Promise<RemoveImageResponse> {
  await images.remove(nameOf(image?.image))
  return RemoveImageResponse.create()
}

export async function imageFsInfo({
  images,
  clock,
}: Pick<PodContext, 'clock' | 'images'>): Promise<ImageFsInfoResponse> {
  const { mountpoint, usedBytes, inodesUsed } = await images.filesystem()
  const usage = {
    timestamp: nowNs(clock),
    fsId: { mountpoint },
    usedBytes: { value: BigInt(usedBytes) },
    inodesUsed: { value: BigInt(inodesUsed) },
  }
  return ImageFsInfoResponse.fromPartial({ imageFilesystems: [usage], containerFilesystems: [usage] })
}

export function imageItem(image: StoredImage): Image {
  const [user = ''] = (image.config.config.User ?? '').split(':')
  return Image.fromPartial({
    id: image.id,
    repoTags: image.repoTags,
    repoDigests: image.repoDigests,
    size: BigInt(image.sizeBytes),
    ...(/^\d+$/.test(user) ? { uid: { value: BigInt(user) } } : { username: user }),
    spec: { image: image.id },
    pinned: image.pinned,
  })
}

/** `auth` is `user:password` in base64, as Docker's config.json has it. */
export function registryAuth(auth: AuthConfig): RegistryAuth {
  const [username = '', ...password] = Buffer.from(auth.auth, 'base64').toString().split(':')
  const decoded =
    auth.auth === '' ? { username: '', password: '' } : { username, password: password.join(':') }
  return {
    username: auth.username || decoded.username,
    password: auth.password || decoded.password,
    ...(auth.registryToken ? { registryToken: auth.registryToken } : {}),
    ...(auth.identityToken ? { identityToken: auth.identityToken } : {}),
  }
}

function nameOf(name: string | undefined): string {
  if (name) return name
  throw new KeelsonError('INVALID_ARGUMENT', 'the request names no image')
}
