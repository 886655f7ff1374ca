import { copyFile, lstat, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeExactJson, hasErrno } from '../../base/index.ts'
import type { ArchiveFile } from '../../image/index.ts'
import type { Container } from '../../oci/index.ts'
import type { PodContext } from '../context.ts'
import type { ContainerRecord } from '../records.ts'
import { containerPid, podNamespaces } from '../spec/namespaces.ts'
import { containerStatus } from '../views.ts'
import { configDump, parts, statusDump } from './documents.ts'

export interface CaptureOptions {
  criu: string
  /** An empty directory for what is written on the way. */
  work: string
  signal: AbortSignal
}

/**
 * Everything of a container that runs and is paused: its processes, what it wrote, its log. Returns what belongs into
 * its archive; the larger parts lie in `work`.
 */
export async function capture(
  context: PodContext,
  record: ContainerRecord,
  container: Container,
  { criu, work, signal }: CaptureOptions,
): Promise<ArchiveFile[]> {
  const imagePath = join(work, parts.images)
  const externalNamespaces = sharedNamespaces(context, record)
  await container.checkpoint({
    criu,
    imagePath,
    workPath: work,
    leaveRunning: true,
    externalNamespaces,
    signal,
  })
  const changes = join(work, parts.changes)
  await context.images.snapshots.saveChanges(record.id, changes, { signal })
  const log = await copyLog(record, join(work, parts.log))
  const json = (name: string, text: string): ArchiveFile => ({ name, content: Buffer.from(text) })
  return [
    json(parts.spec, encodeExactJson(await container.spec())),
    json(parts.config, JSON.stringify(configDump(record, context.clock.nowMs()))),
    json(parts.status, JSON.stringify(statusDump(containerStatus(record)))),
    ...(await filesIn(imagePath, parts.images)),
    await fileOf(parts.changes, changes),
    ...(log ? [await fileOf(parts.log, log)] : []),
    ...(await criuReports(work)),
  ]
}

/** Freezes it for as long as `work` takes: what is written then belongs to one moment. */
export async function whilePaused<Result>(
  containers: readonly Container[],
  work: () => Promise<Result>,
): Promise<Result> {
  const paused: Container[] = []
  try {
    for (const container of containers) {
      await container.pause()
      paused.push(container)
    }
    return await work()
  } finally {
    for (const container of paused) await letGoOn(container)
  }
}

/** One that was killed meanwhile needs it no more. */
export async function letGoOn(container: Container): Promise<void> {
  const { status } = await container.state()
  if (status === 'paused') await container.resume()
}

/** Those that the container has from its pod, or from another of its containers. */
function sharedNamespaces({ store }: PodContext, { sandboxId, config }: ContainerRecord): ('net' | 'pid')[] {
  const own = podNamespaces(store.sandbox(sandboxId).config)
  const { kind } = containerPid(config.linux?.securityContext?.namespaceOptions, own)
  return [
    ...(own.network === 'pod' ? ['net' as const] : []),
    ...(kind === 'pod' || kind === 'target' ? ['pid' as const] : []),
  ]
}

async function copyLog({ logPath }: ContainerRecord, to: string): Promise<string | undefined> {
  if (logPath === '') return undefined
  try {
    if (!(await lstat(logPath)).isFile()) return undefined
    await copyFile(logPath, to)
    return to
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined // somebody removed it
    throw error
  }
}

async function criuReports(work: string): Promise<ArchiveFile[]> {
  const names = (await readdir(work)).filter((name) => name === 'stats-dump' || name === 'dump.log')
  return Promise.all(names.map((name) => fileOf(name, join(work, name))))
}

async function filesIn(directory: string, prefix: string): Promise<ArchiveFile[]> {
  const names = (await readdir(directory)).toSorted()
  return Promise.all(names.map((name) => fileOf(`${prefix}/${name}`, join(directory, name))))
}

export async function fileOf(name: string, path: string): Promise<ArchiveFile> {
  return { name, content: { path, sizeBytes: (await stat(path)).size } }
}
