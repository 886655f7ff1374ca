import { hasCode, KeelsonError } from '../base/index.ts'
import type { Image } from './image-store.ts'
import type { ImageRecord } from './records.ts'
import { formatReference, parseReference, repositoryName } from './reference.ts'

/**
 * The image that this text means: its id (also without the algorithm before it), a name with tag or digest in any short form, or
 * the beginning of exactly one id.
 */
export function findImage(records: Iterable<ImageRecord>, text: string): Image | undefined {
  const images = [...records].map(({ image }) => image)
  return images.find((image) => isWhole(image, text)) ?? byName(images, text) ?? byPrefix(images, text)
}

/** Whether the text is the image's id or the beginning of it. */
export function isIdOf({ id }: Image, text: string): boolean {
  return text !== '' && (id.startsWith(text) || id.slice(id.indexOf(':') + 1).startsWith(text))
}

function isWhole({ id }: Image, text: string): boolean {
  return id === text || id.slice(id.indexOf(':') + 1) === text
}

/** A digest says exactly which image; a tag beside it says nothing more. */
function byName(images: readonly Image[], text: string): Image | undefined {
  const reference = readName(text)
  if (!reference) return undefined
  const { digest } = reference
  if (digest === undefined) {
    const tag = formatReference(reference)
    return images.find(({ repoTags }) => repoTags.includes(tag))
  }
  const exact = `${repositoryName(reference)}@${digest}`
  return images.find(({ repoDigests }) => repoDigests.includes(exact))
}

/** Where a push goes when the image was called by this name. INVALID_ARGUMENT when that is none of its tags. */
export function targetName(image: Image, called: string, { to }: { to?: string }): string {
  if (to !== undefined) return to
  const reference = readName(called)
  const name = reference && formatReference(reference)
  if (name !== undefined && image.repoTags.includes(name)) return name
  throw new KeelsonError('INVALID_ARGUMENT', `${called} does not say under which name to push the image`, {
    hint: 'give the name, with the registry in front of it',
  })
}

function byPrefix(images: readonly Image[], text: string): Image | undefined {
  if (!/^(?:sha(?:256|512):)?[a-f0-9]+$/.test(text)) return undefined
  const [found, ...others] = images.filter((image) => isIdOf(image, text))
  return others.length === 0 ? found : undefined
}

function readName(text: string): ReturnType<typeof parseReference> | undefined {
  try {
    return parseReference(text)
  } catch (error) {
    if (hasCode(error, 'INVALID_ARGUMENT')) return undefined
    throw error
  }
}
