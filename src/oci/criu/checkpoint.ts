import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import { lockFile } from '../../kernel/index.ts'
import { createContext, type RuntimeOptions } from '../create-runtime.ts'
import { deleteContainer } from '../delete-container.ts'
import { containerDirectory } from '../state/directory.ts'
import { requireAlive } from '../state/lifecycle.ts'
import { type Observed, observe } from '../state/observe.ts'
import { readConfig, recordFiles } from '../state/record.ts'
import { type DumpFacts, dumpArguments } from './arguments.ts'
import { criuConfig, externalMounts, isExternalFile, isFileIn, namespacePaths, stdioOf } from './external.ts'
import type { CheckpointOptions } from './options.ts'
import { runCriu } from './run-criu.ts'

/** In the images' directory, as runc's: what the container's 0, 1 and 2 were. */
export const descriptorsFile = 'descriptors.json'

/**
 * Writes a container's processes to files. Afterwards it is gone, as with runc, unless it is left running or only its
 * memory was dumped.
 */
export async function checkpointContainer(
  options: RuntimeOptions,
  id: string,
  { criu, ...wanted }: CheckpointOptions & { criu: string },
): Promise<void> {
  const context = createContext(options)
  const directory = containerDirectory(context.stateRoot, id)
  const observed = observe(directory, id)
  const pid = pidOf(observed)
  using _lock = await lockFile(join(directory, recordFiles.lock))
  const stdio = stdioOf(pid)
  const args = dumpArguments(wanted, factsOf(observed, directory, pid, stdio))
  for (const path of [wanted.imagePath, wanted.workPath])
    if (path !== undefined) mkdirSync(path, { recursive: true, mode: 0o700 })
  if (!wanted.preDump)
    writeFileSync(join(wanted.imagePath, descriptorsFile), JSON.stringify(stdio), { mode: 0o600 })
  const log = join(wanted.workPath ?? wanted.imagePath, 'dump.log')
  await runCriu({ criu, args, log, op: 'checkpoint', id, ...throughStatus(wanted) })
  if (!wanted.preDump && !wanted.leaveRunning) await deleteContainer(context, id, directory, true)
}

function pidOf({ record, status }: Observed): number {
  requireAlive(status, 'checkpoint', record.id)
  if (record.process && status !== 'created') return record.process.pid
  throw new KeelsonError('FAILED_PRECONDITION', `cannot checkpoint container ${record.id}: it is ${status}`, {
    op: 'checkpoint',
    id: record.id,
    hint: 'start it first: before that only our own code runs in it',
  })
}

function factsOf({ record }: Observed, directory: string, pid: number, stdio: readonly string[]): DumpFacts {
  const spec = readConfig(directory)
  return {
    pid,
    freezer: freezerOf(record.cgroup?.leaves ?? []),
    externalMounts: externalMounts(spec, isFileIn(pid)).map(([destination]) => destination),
    externalNamespaces: namespacePaths(spec).flatMap(({ kind }) =>
      kind === 'net' || kind === 'pid'
        ? [{ kind, inode: statSync(`/proc/${pid}/ns/${kind}`, { bigint: true }).ino }]
        : [],
    ),
    externalFiles: [...new Set(stdio.filter(isExternalFile))],
    config: criuConfig(record.annotations),
  }
}

/** criu stops the tasks by it instead of one by one. */
function freezerOf(leaves: readonly string[]): string | undefined {
  const having = (file: string) =>
    leaves.find((leaf) => statSync(join(leaf, file), { throwIfNoEntry: false }) !== undefined)
  return having('freezer.state') ?? having('cgroup.freeze')
}

/** The caller's descriptor under the same number in criu, and nothing between. */
function throughStatus({ statusFd }: CheckpointOptions): { inherited?: (number | 'ignore')[] } {
  if (statusFd === undefined) return {}
  const inherited = Array.from({ length: statusFd + 1 }, () => 'ignore' as number | 'ignore')
  inherited[statusFd] = statusFd
  return { inherited }
}
