import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rename } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { asKeelsonError, Cleanup, KeelsonError } from '../../base/index.ts'
import { removeTree } from '../../kernel/index.ts'
import { type ContentStore, diskFull } from '../content-store.ts'
import type { ArchiveFormat, SaveOptions } from '../image-store.ts'
import type { ImageRecord } from '../records.ts'
import { readStoredManifest } from '../stored-manifest.ts'
import { dockerArchiveFiles } from './docker-archive.ts'
import type { ArchiveFile } from './files.ts'
import { writeFolder } from './folder.ts'
import type { NamedImage } from './named-image.ts'
import { ociLayoutFiles } from './oci-layout.ts'
import { writeTar } from './tar.ts'

/**
 * Writes images as one file or directory. It appears under its name only when it is complete; a failure leaves
 * nothing.
 */
export async function saveImages(
  content: ContentStore,
  images: readonly { record: ImageRecord; tags: readonly string[] }[],
  { path, format, signal }: SaveOptions,
): Promise<void> {
  await using undo = new Cleanup()
  const spool = content.temporaryPath('save')
  await mkdir(spool, { mode: 0o700 })
  undo.defer(() => removeTree(spool))
  const named = await Promise.all(
    images.map(async (one) => ({ ...one, manifest: await readStoredManifest(content, one.record) })),
  )
  const files = await filesOf[format](content, named, spool, signal).catch((error) => {
    throw diskFull(error, spool) ?? asKeelsonError(error, { op: 'save' })
  })
  try {
    await write(path, format, files, signal)
  } catch (error) {
    throw diskFull(error, dirname(path)) ?? asKeelsonError(error, { op: 'save', path })
  }
}

const filesOf: Record<
  ArchiveFormat,
  (
    content: ContentStore,
    images: readonly NamedImage[],
    spool: string,
    signal: AbortSignal | undefined,
  ) => Promise<ArchiveFile[]>
> = {
  'oci-archive': async (content, images) => ociLayoutFiles(content, images),
  'oci-dir': async (content, images) => ociLayoutFiles(content, images),
  'docker-archive': dockerArchiveFiles,
}

async function write(
  path: string,
  format: ArchiveFormat,
  files: readonly ArchiveFile[],
  signal: AbortSignal | undefined,
): Promise<void> {
  if (format === 'oci-dir') await requireEmpty(path)
  await using undo = new Cleanup()
  // Whoever saves to the same path at the same time, here or elsewhere, has another one.
  const partial = join(dirname(path), `.${basename(path)}.partial-${randomBytes(6).toString('hex')}`)
  if (format === 'oci-dir') {
    await mkdir(partial, { mode: 0o755 })
    undo.defer(() => removeTree(partial))
    await writeFolder(partial, files, signal)
  } else {
    await using file = await open(partial, 'wx', 0o600)
    undo.defer(() => removeTree(partial))
    await writeTar(file, files, signal)
    await file.chmod(0o644)
    await file.sync() // else a power cut could leave the name with nothing in it
  }
  await rename(partial, path)
  undo.keep()
  await using parent = await open(dirname(path), 'r')
  await parent.sync()
}

/** A layout that somebody has already is not ours to mix with. */
async function requireEmpty(path: string): Promise<void> {
  const names = await readdir(path).catch((error) => {
    if ('code' in error && error.code === 'ENOENT') return []
    throw error
  })
  if (names.length > 0)
    throw new KeelsonError('ALREADY_EXISTS', `the directory ${path} is not empty`, { path })
}
