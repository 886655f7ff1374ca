import { randomBytes } from 'node:crypto'
import { mkdir, rename, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { asKeelsonError, Cleanup, hasCode, hasErrno, KeelsonError } from '../../base/index.ts'
import { type ArchiveFile, writeArchive } from '../../image/index.ts'
import { removeTree } from '../../kernel/index.ts'
import type { Container } from '../../oci/index.ts'
import type { PodContext } from '../context.ts'
import type { ContainerRecord } from '../records.ts'
import { letGoOn } from './capture.ts'

/**
 * How an archive comes to its place: in a directory of a name that nobody else has, beside it, and by rename. The
 * directory is on the containers' records before it is made and before they are paused, so whatever ends this process,
 * the next one lets them go on and leaves nothing of it.
 */
export async function writeInWork(
  context: PodContext,
  records: readonly ContainerRecord[],
  location: string,
  fill: (work: string) => Promise<ArchiveFile[]>,
  signal: AbortSignal,
): Promise<void> {
  const work = join(dirname(location), `.keelson-checkpoint-${randomBytes(8).toString('hex')}`)
  await using undo = new Cleanup()
  for (const { id } of records) {
    await context.store.changeContainer(id, (last) => ({ ...last, checkpointing: work }))
    undo.defer(() => forgetWork(context, id))
  }
  await mkdir(work, { mode: 0o700 }).catch((error: unknown) => {
    throw asKeelsonError(error, { path: work })
  })
  undo.defer(() => removeTree(work))
  const archive = join(work, 'archive.tar')
  await writeArchive(archive, await fill(work), signal)
  await rename(archive, location)
}

/** At the start, of a checkpoint that was cut short. */
export async function endCheckpoint(
  context: PodContext,
  id: string,
  work: string,
  container: Container | undefined,
): Promise<void> {
  if (container) await letGoOn(container)
  await removeTree(work)
  await forgetWork(context, id)
}

/** It may have been removed meanwhile. */
async function forgetWork({ store }: PodContext, id: string): Promise<void> {
  try {
    await store.changeContainer(id, ({ checkpointing: _, ...last }) => last)
  } catch (error) {
    if (!hasCode(error, 'NOT_FOUND')) throw error
  }
}

/** INVALID_ARGUMENT unless an archive can be put there. */
export async function checkLocation(location: string, field: string): Promise<void> {
  const refuse = (why: string, cause?: unknown) =>
    new KeelsonError('INVALID_ARGUMENT', `${field} ${JSON.stringify(location)} ${why}`, { cause })
  if (!isAbsolute(location) || location.includes('\0')) throw refuse('is no absolute path')
  if (['', '.', '..'].includes(basename(location)) || location.endsWith('/')) throw refuse('names no file')
  const parent = await typeOf(dirname(location))
  if (parent !== 'directory') throw refuse('lies in no directory')
  if ((await typeOf(location)) === 'directory') throw refuse('is a directory')
}

async function typeOf(path: string): Promise<'directory' | 'other' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'directory' : 'other'
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP')) return undefined
    throw asKeelsonError(error, { path })
  }
}

/** A signal that also comes after so many seconds; 0: only with the caller's. */
export function bounded(
  { clock }: PodContext,
  signal: AbortSignal,
  seconds: bigint,
): Disposable & { signal: AbortSignal } {
  if (seconds < 0n) throw new KeelsonError('INVALID_ARGUMENT', `timeout ${seconds} is negative`)
  if (seconds === 0n) return { signal, [Symbol.dispose]: () => {} }
  const late = new AbortController()
  const cancel = clock.after(Math.min(Number(seconds) * 1000, 2 ** 31 - 1), () =>
    late.abort(
      new KeelsonError('DEADLINE_EXCEEDED', `the checkpoint was not written within ${seconds} s`, {
        op: 'checkpoint',
      }),
    ),
  )
  return { signal: AbortSignal.any([signal, late.signal]), [Symbol.dispose]: cancel }
}
