import { KeelsonError } from '../base/index.ts'
import type { Image } from './image-store.ts'
import { withoutTags } from './install.ts'
import { findImage } from './names.ts'
import type { Change, ImageRecord, Recorded, Records } from './records.ts'
import { formatReference, parseReference } from './reference.ts'

/** Gives the image one more tag. The image that had it keeps its other names and its id. */
export async function tagImage(records: Records, id: string, name: string): Promise<Image> {
  const tag = tagOf(name)
  return await records.change((now) => {
    const record = recordOf(now, id)
    if (record.image.repoTags.includes(tag)) return { changes: [], result: record.image }
    const image = { ...record.image, repoTags: [...record.image.repoTags, tag] }
    const put: Change = { put: 'image', key: id, record: { ...record, image } }
    return { changes: [...withoutTags(now, [tag], id), put], result: image }
  })
}

/** The image without this name, which may be a tag or a repo digest; without any name it is gone. */
export async function untagImage(records: Records, id: string, name: string): Promise<Image> {
  const reference = parseReference(name)
  const full = formatReference(reference)
  const digest = reference.digest === undefined ? undefined : `${full.replace(/:[^/@]*@/, '@')}`
  return await records.change((now) => {
    const record = recordOf(now, id)
    // Since it was looked up the name may have moved to another image.
    if (findImage(now.images.values(), name)?.id !== id) notHere(name)
    const repoTags = record.image.repoTags.filter((one) => one !== full)
    const repoDigests = record.image.repoDigests.filter((one) => one !== digest)
    const image = { ...record.image, repoTags, repoDigests }
    // A digest that came with a tag is no name that somebody gave: it does not keep an image for itself.
    const isGone = repoTags.length === 0
    const change: Change = isGone
      ? { remove: 'image', key: id }
      : { put: 'image', key: id, record: { ...record, image } }
    return { changes: [change], result: image }
  })
}

function tagOf(name: string): string {
  const reference = parseReference(name)
  if (reference.digest === undefined) return formatReference(reference)
  throw new KeelsonError('INVALID_ARGUMENT', `"${name}" has a digest: a tag names an image without one`)
}

function recordOf(now: Recorded, id: string): ImageRecord {
  const record = now.images.get(id)
  return record ?? notHere(id)
}

function notHere(name: string): never {
  throw new KeelsonError('NOT_FOUND', `image ${name} is not here`, { id: name })
}
