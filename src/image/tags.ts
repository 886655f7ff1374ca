import { KeelsonError } from '../base/index.ts'
import type { Image } from './image-store.ts'
import { withoutTags } from './install.ts'
import type { ImageRecord, Records } from './records.ts'
import { formatReference, parseReference } from './reference.ts'

/** Gives the image one more tag. The image that had it keeps its other names and its id. */
export async function tagImage(records: Records, id: string, name: string): Promise<Image> {
  const tag = tagOf(name)
  const record = recordOf(records, id)
  if (record.image.repoTags.includes(tag)) return record.image
  const image = { ...record.image, repoTags: [...record.image.repoTags, tag] }
  await records.commit([
    ...withoutTags(records, [tag], id),
    { put: 'image', key: id, record: { ...record, image } },
  ])
  return image
}

/** The image without this name, which may be a tag or a repo digest; without any name it is gone. */
export async function untagImage(records: Records, id: string, name: string): Promise<Image> {
  const record = recordOf(records, id)
  const reference = parseReference(name)
  const full = formatReference(reference)
  const digest = reference.digest === undefined ? undefined : `${full.replace(/:[^/@]*@/, '@')}`
  const repoTags = record.image.repoTags.filter((one) => one !== full)
  const repoDigests = record.image.repoDigests.filter((one) => one !== digest)
  const image = { ...record.image, repoTags, repoDigests }
  // A digest that came with a tag is no name that somebody gave: it does not keep an image for itself.
  if (repoTags.length === 0) await records.commit([{ remove: 'image', key: id }])
  else await records.commit([{ put: 'image', key: id, record: { ...record, image } }])
  return image
}

function tagOf(name: string): string {
  const reference = parseReference(name)
  if (reference.digest === undefined) return formatReference(reference)
  throw new KeelsonError('INVALID_ARGUMENT', `"${name}" has a digest: a tag names an image without one`)
}

function recordOf(records: Records, id: string): ImageRecord {
  const record = records.images.get(id)
  if (record) return record
  throw new KeelsonError('NOT_FOUND', `image ${id} is not here`, { id })
}
