import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import { requireAlive } from '../state/lifecycle.ts'
import { type Observed, observe } from '../state/observe.ts'
import { readConfig } from '../state/record.ts'
import { type DumpFacts, dumpArguments } from './arguments.ts'
import { descriptorsFile } from './descriptors.ts'
import { criuConfig, externalMounts, isExternalFile, isFileIn, namespacePaths, stdioOf } from './external.ts'
import type { CheckpointOptions } from './options.ts'
import { runCriu } from './run-criu.ts'

/** Writes a container's processes to files. The caller holds the container's lock. */
export async function dumpContainer(
  id: string,
  directory: string,
  { criu, signal, ...wanted }: CheckpointOptions & { criu: string },
): Promise<void> {
  const observed = observe(directory, id)
  const pid = pidOf(observed)
  const stdio = stdioOf(pid)
  const args = dumpArguments(wanted, factsOf(observed, directory, pid, stdio, wanted))
  for (const path of [wanted.imagePath, wanted.workPath])
    if (path !== undefined) mkdirSync(path, { recursive: true, mode: 0o700 })
  if (!wanted.preDump)
    writeFileSync(join(wanted.imagePath, descriptorsFile), JSON.stringify(stdio), { mode: 0o600 })
  const log = join(wanted.workPath ?? wanted.imagePath, 'dump.log')
  await runCriu({
    criu,
    args,
    log,
    op: 'checkpoint',
    id,
    ...throughStatus(wanted),
    ...(signal ? { signal } : {}),
  })
}

export function pidOf({ record, status }: Observed): number {
  requireAlive(status, 'checkpoint', record.id)
  if (record.process && status !== 'created') return record.process.pid
  throw new KeelsonError('FAILED_PRECONDITION', `cannot checkpoint container ${record.id}: it is ${status}`, {
    op: 'checkpoint',
    id: record.id,
    hint: 'start it first: before that only our own code runs in it',
  })
}

function factsOf(
  { record }: Observed,
  directory: string,
  pid: number,
  stdio: readonly string[],
  { externalNamespaces = [] }: CheckpointOptions,
): DumpFacts {
  const spec = readConfig(directory)
  const named = namespacePaths(spec).flatMap(({ kind }) =>
    kind === 'net' || kind === 'pid' ? [kind as 'net' | 'pid'] : [],
  )
  return {
    pid,
    freezer: freezerOf(record.cgroup?.leaves ?? []),
    externalMounts: externalMounts(spec, isFileIn(pid)).map(([destination]) => destination),
    externalNamespaces: [...new Set([...named, ...externalNamespaces])].map((kind) => ({
      kind,
      inode: statSync(`/proc/${pid}/ns/${kind}`, { bigint: true }).ino,
    })),
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
