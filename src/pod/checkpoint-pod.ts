import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Call } from '../../cri/service.ts'
import { type CheckpointPodRequest, CheckpointPodResponse } from '../../cri/types.ts'
import { KeelsonError } from '../base/index.ts'
import { type ArchiveFile, writeArchive } from '../image/index.ts'
import { removeTree } from '../kernel/index.ts'
import type { Container } from '../oci/index.ts'
import { capture, fileOf, whilePaused } from './checkpoint/capture.ts'
import { podPart } from './checkpoint/documents.ts'
import { containerArchive, encodePodDump, refuseOptions } from './checkpoint/pod-dump.ts'
import { findProgram, requireCheckpointable } from './checkpoint/possible.ts'
import { checkLocation, writeInWork } from './checkpoint/work.ts'
import type { PodContext } from './context.ts'
import type { ContainerRecord, SandboxRecord } from './records.ts'
import { runningContainer } from './running.ts'

/**
 * Writes a pod as one archive to `output_path`: what it is, and its running containers, or those that are named. They stand
 * still together, so what one told another is in both or in neither; then all go on.
 */
export async function checkpointPod(
  context: PodContext,
  { podSandboxId, outputPath, containerIds, options }: CheckpointPodRequest,
  { signal }: Call,
): Promise<CheckpointPodResponse> {
  const sandbox = context.store.sandbox(podSandboxId)
  await checkLocation(outputPath, 'output_path')
  refuseOptions(options)
  if (sandbox.stoppedAtNs !== undefined)
    throw new KeelsonError('FAILED_PRECONDITION', `pod sandbox ${sandbox.id} is not ready`, {
      id: sandbox.id,
    })
  const ids = chosen(context, sandbox, containerIds)
  await inTurns(context, ids, () => write(context, sandbox, ids, outputPath, signal))
  return CheckpointPodResponse.create()
}

function chosen({ store }: PodContext, sandbox: SandboxRecord, ids: readonly string[]): string[] {
  const running = store
    .containersOf(sandbox.id)
    .filter(({ startedAtNs, exit }) => startedAtNs !== undefined && !exit)
  const named = ids.map((id) => store.container(id))
  const stranger = named.find(({ sandboxId }) => sandboxId !== sandbox.id)
  if (stranger)
    throw new KeelsonError('INVALID_ARGUMENT', `container ${stranger.id} belongs to another pod`, {
      id: stranger.id,
    })
  const found = (named.length > 0 ? named : running).map(({ id }) => id)
  if (found.length > 0) return [...new Set(found)].toSorted()
  throw new KeelsonError('FAILED_PRECONDITION', `no container of pod sandbox ${sandbox.id} is running`, {
    id: sandbox.id,
  })
}

/** In the turn of each, taken in one order by everybody. */
function inTurns({ turns }: PodContext, ids: readonly string[], work: () => Promise<void>): Promise<void> {
  return ids.reduceRight<() => Promise<void>>((inner, id) => () => turns.take(id, inner), work)()
}

async function write(
  context: PodContext,
  sandbox: SandboxRecord,
  ids: readonly string[],
  outputPath: string,
  signal: AbortSignal,
): Promise<void> {
  const found = await Promise.all(ids.map((id) => runningContainer(context, id)))
  for (const { record } of found) requireCheckpointable(context, record)
  const criu = findProgram(context)
  const records = found.map(({ record }) => record)
  const fill = async (work: string) => {
    const captured = await whilePaused(
      found.map(({ container }) => container),
      () => captureAll(context, found, { criu, work, signal }),
    )
    const pod = encodePodDump(sandbox, records, context.clock.nowMs())
    return [{ name: podPart, content: Buffer.from(pod) }, ...(await packAll(captured, work, signal))]
  }
  await writeInWork(context, records, outputPath, fill, signal)
}

async function captureAll(
  context: PodContext,
  found: readonly { record: ContainerRecord; container: Container }[],
  { work, ...options }: { criu: string; work: string; signal: AbortSignal },
): Promise<ArchiveFile[][]> {
  const captured: ArchiveFile[][] = []
  for (const [index, { record, container }] of found.entries()) {
    const own = join(work, String(index))
    await mkdir(own, { mode: 0o700 })
    captured.push(await capture(context, record, container, { ...options, work: own }))
  }
  return captured
}

/** An archive of each, in the form that CreateContainer takes too. */
async function packAll(
  captured: readonly ArchiveFile[][],
  work: string,
  signal: AbortSignal,
): Promise<ArchiveFile[]> {
  const packed: ArchiveFile[] = []
  for (const [index, files] of captured.entries()) {
    const path = join(work, `${index}.tar`)
    await writeArchive(path, files, signal)
    await removeTree(join(work, String(index)))
    packed.push(await fileOf(containerArchive(index), path))
  }
  return packed
}
