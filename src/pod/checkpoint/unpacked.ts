import { lstat, readdir } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { asKeelsonError, hasCode, hasErrno, KeelsonError } from '../../base/index.ts'
import type { Image, UnpackedArchive } from '../../image/index.ts'
import { readTreeFile, Tree } from '../../kernel/index.ts'
import type { PodContext } from '../context.ts'
import { broken, checkpointAnnotations, parts, readConfigDump, readDeletedFiles } from './documents.ts'

/** A container's checkpoint, unpacked and looked through: nothing in it leads out of its directory. */
export interface UnpackedCheckpoint extends AsyncDisposable {
  readonly archive: UnpackedArchive
  /** The image that it was made over. */
  readonly image: Image
  /** As the archive has it; may be empty. */
  readonly checkpointedAt: string
}

const documentBytesMax = 16 * 2 ** 20

/**
 * What a container is to be restored from: an archive whose absolute path takes the place of the image's name, or an
 * image that says by an annotation that it carries one. Undefined for any other image.
 */
export async function openCheckpoint(
  { images }: Pick<PodContext, 'images'>,
  name: string,
): Promise<UnpackedCheckpoint | undefined> {
  if (isAbsolute(name)) return await openArchive({ images }, name)
  const image = name === '' ? undefined : images.find(name)
  if (!image || !(await carriesCheckpoint(images, image.id))) return undefined
  return await looked(images, await images.archives.unpackImage(image.id))
}

export async function openArchive(
  { images }: Pick<PodContext, 'images'>,
  path: string,
): Promise<UnpackedCheckpoint> {
  return await looked(images, await openFolder({ images }, path))
}

/** The archive's files, and nothing said of them. */
export async function openFolder(
  { images }: Pick<PodContext, 'images'>,
  path: string,
): Promise<UnpackedArchive> {
  if (!isAbsolute(path) || path.includes('\0'))
    throw new KeelsonError(
      'INVALID_ARGUMENT',
      `the checkpoint archive ${JSON.stringify(path)} is no absolute path`,
    )
  const file = await lstat(path).catch((error: unknown) => {
    if (!hasErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP')) throw asKeelsonError(error, { path })
    throw new KeelsonError('NOT_FOUND', `there is no checkpoint archive ${path}`, { path })
  })
  if (!file.isFile())
    throw new KeelsonError('INVALID_ARGUMENT', `the checkpoint archive ${path} is no regular file`, { path })
  return await images.archives.unpack(path)
}

async function carriesCheckpoint(images: PodContext['images'], imageId: string): Promise<boolean> {
  try {
    const annotations = await images.archives.annotations(imageId)
    return checkpointAnnotations.some((name) => name in annotations)
  } catch (error) {
    if (hasCode(error, 'DATA_LOSS')) return false // its manifest is gone, which keeps nobody from running it
    throw error
  }
}

async function looked(images: PodContext['images'], archive: UnpackedArchive): Promise<UnpackedCheckpoint> {
  try {
    using tree = new Tree(archive.directory)
    const { imageNames, checkpointedAt } = readConfigDump(readDocument(tree, parts.config))
    await requirePlainImages(archive.directory)
    return {
      archive,
      image: findBase(images, imageNames),
      checkpointedAt,
      [Symbol.asyncDispose]: () => archive[Symbol.asyncDispose](),
    }
  } catch (error) {
    await archive[Symbol.asyncDispose]()
    throw error
  }
}

/** A small file of the archive; INVALID_ARGUMENT where it is missing. Links lead to places in the archive. */
export function readDocument(tree: Tree, name: string): string {
  try {
    return readTreeFile(tree, name, documentBytesMax).toString('utf8')
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EINVAL')) throw broken(name, 'is missing', error)
    if (hasErrno(error, 'EFBIG')) throw broken(name, `has more than ${documentBytesMax} bytes`, error)
    throw error
  }
}

/** criu opens its images by their names, and would follow a link to anywhere. */
async function requirePlainImages(directory: string): Promise<void> {
  const images = join(directory, parts.images)
  const found = await lstat(images).catch(() => undefined)
  if (!found?.isDirectory()) throw broken(parts.images, 'is no directory')
  for (const entry of await readdir(images, { withFileTypes: true }))
    if (!entry.isFile()) throw broken(`${parts.images}/${entry.name}`, 'is no regular file')
  for (const name of [parts.changes, parts.log, parts.deleted]) {
    const part = await lstat(join(directory, name)).catch(() => undefined)
    if (part && !part.isFile()) throw broken(name, 'is no regular file')
  }
}

/** Only what is here: an archive is not to decide what this node downloads, and with whose credentials. */
function findBase(images: PodContext['images'], names: readonly string[]): Image {
  for (const name of names) {
    const image = findQuietly(images, name)
    if (image) return image
  }
  const [name = ''] = names
  throw new KeelsonError(
    'NOT_FOUND',
    `image ${JSON.stringify(name)}, over which the checkpoint was made, is not present`,
    {
      op: 'CreateContainer',
      hint: 'pull it first',
    },
  )
}

/** What is no name at all names no image. */
function findQuietly(images: PodContext['images'], name: string): Image | undefined {
  try {
    return images.find(name)
  } catch (error) {
    if (hasCode(error, 'INVALID_ARGUMENT')) return undefined
    throw error
  }
}

/** Puts what the container wrote into its new snapshot, and the rest beside it, where the start finds it. */
export async function placeCheckpoint(
  { images }: Pick<PodContext, 'images'>,
  key: string,
  upper: string,
  { archive }: UnpackedCheckpoint,
): Promise<void> {
  const changes = join(archive.directory, parts.changes)
  if (await isThere(changes)) await images.snapshots.applyChanges(key, changes)
  if (await isThere(join(archive.directory, parts.deleted))) hideDeleted(archive.directory, upper)
  await images.snapshots.keep(key, archive)
}

function hideDeleted(directory: string, upper: string): void {
  using from = new Tree(directory)
  using tree = new Tree(upper)
  for (const path of readDeletedFiles(readDocument(from, parts.deleted))) {
    const inside = path.split('/').filter((part) => part !== '' && part !== '.')
    if (inside.length === 0 || inside.includes('..'))
      throw broken(parts.deleted, `has the path ${JSON.stringify(path)}`)
    tree.whiteout(inside.join('/'))
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined
}
