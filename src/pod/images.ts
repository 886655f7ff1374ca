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
import { decodeBasic, parseReference, type RegistryAuth, type Image as StoredImage } from '../image/index.ts'
import { nowNs, type PodContext } from './context.ts'
import { imageInfo } from './inspect.ts'

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
    info: verbose ? { info: imageInfo(found) } : {},
  })
}

export async function pullImage(
  { images }: PodContext,
  { image, auth }: PullImageRequest,
  { signal }: Call,
): Promise<PullImageResponse> {
  const name = nameOf(image?.image)
  const known = auth && registryAuth(auth, parseReference(name).host)
  const pulled = await images.pull(name, { ...(known && { auth: known }), signal })
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

/**
 * Every form that a kubelet may hand over: name and password, both in one as Docker's config.json has them, a token.
 * Undefined when there is nothing in it, or it is meant for another server: then the node's own are asked.
 */
export function registryAuth(auth: AuthConfig, host: string): RegistryAuth | undefined {
  if (auth.serverAddress !== '' && serverHost(auth.serverAddress) !== host) return undefined
  const decoded = auth.auth === '' ? undefined : (decodeBasic(auth.auth) ?? refuseAuth(host))
  const username = auth.username || decoded?.username
  const found = {
    ...(username && { username, password: auth.password || decoded?.password || '' }),
    ...(auth.registryToken && { registryToken: auth.registryToken }),
    ...(auth.identityToken && { identityToken: auth.identityToken }),
  }
  return Object.keys(found).length > 0 ? found : undefined
}

/** `https://index.docker.io/v1/` → `docker.io`, `quay.io/team` → `quay.io`. */
function serverHost(address: string): string {
  const [host = ''] = address.replace(/^https?:\/\//, '').split('/')
  return ['index.docker.io', 'registry-1.docker.io'].includes(host) ? 'docker.io' : host
}

function refuseAuth(host: string): never {
  throw new KeelsonError('UNAUTHENTICATED', `the credentials for ${host} are not name:password in base64`, {
    hint: 'make the pull secret anew',
  })
}

function nameOf(name: string | undefined): string {
  if (name) return name
  throw new KeelsonError('INVALID_ARGUMENT', 'the request names no image')
}
