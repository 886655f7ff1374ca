import { closeSync, mkdirSync, openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { asKeelsonError, Cleanup, KeelsonError, processStat } from '../../base/index.ts'
import { reapInit, startInit } from '../../kernel/index.ts'
import { type CgroupLayout, type CgroupPlan, requireUnused } from '../cgroup/index.ts'
import { cgroupRoots } from '../cgroup/roots.ts'
import { limitLate, makeCgroup } from '../compile/cgroup.ts'
import { DiskContainer } from '../container.ts'
import { discardCgroup, prepareCreate } from '../create-container.ts'
import { createContext, type RuntimeOptions } from '../create-runtime.ts'
import { failureError, lostError } from '../failure.ts'
import { frameType } from '../frames.ts'
import { encodePlan, type Plan } from '../plan/index.ts'
import type { Container, CreateRequest } from '../runtime.ts'
import type { Spec } from '../spec.ts'
import { containerDirectory, lockNewDirectory } from '../state/directory.ts'
import { markCreated, markStarted, restoreFiles, writeProcess, writeRecords } from '../state/record.ts'
import { namespaceKey, type RestoreFacts, restoreArguments } from './arguments.ts'
import { inheritedStdio } from './descriptors.ts'
import { criuConfig, externalMounts, namespacePaths } from './external.ts'
import type { RestoreOptions } from './options.ts'
import { readPidFile, runCriu } from './run-criu.ts'

export interface RestoreRequest extends RestoreOptions {
  id: string
  bundle: string
  spec: Spec
  criu: string
  /** The container's descriptors 0, 1 and 2 where they were pipes or files of the host. */
  stdio: readonly [number, number, number]
  /** This process wants to know how it ends, so it has to be its child. */
  wait: boolean
}

/**
 * Makes a container from the images of a checkpoint, running. criu makes its processes, namespaces and mounts; the
 * record, the cgroups with their limits and the process's identity are ours, as with any other container.
 */
export async function restoreContainer(options: RuntimeOptions, request: RestoreRequest): Promise<Container> {
  const { id, spec, bundle } = request
  refuseTerminal(request)
  const context = createContext(options)
  await using undo = new Cleanup()
  const directory = containerDirectory(context.stateRoot, id)
  using lock = await lockNewDirectory(directory, id)
  undo.defer(() => rm(directory, { recursive: true, force: true }))
  const create: CreateRequest = { id, spec, bundle, life: { kind: 'detached' } }
  const place = { directory, directoryFd: -1, lockFd: lock.fd, namespaceFds: {} }
  const { cgroup, input } = await prepareCreate(context, create, place)
  if (cgroup) await requireUnused(cgroup)
  writeRecords(directory, input.records)
  if (cgroup) undo.defer(() => discardCgroup(context, cgroup))
  if (cgroup) await makeGroups(cgroup, id)
  await runInRoot(request, directory, context.layout, cgroup)
  const pid = await readPidFile(directory, restoreFiles.pid)
  // The state of a container is a flat directory: whoever deletes it may count on that.
  for (const name of [restoreFiles.root, restoreFiles.pid])
    await rm(join(directory, name), { recursive: true })
  writeProcess(directory, { pid, startTicks: processStat(pid).startTicks })
  markCreated(directory)
  markStarted(directory, BigInt(Math.round(context.clock.nowMs() * 1000)) * 1000n)
  undo.keep()
  return new DiskContainer(context, id, directory)
}

/** criu gives a new terminal's master only to programs that speak its own protocol. */
function refuseTerminal({ spec, shellJob, id }: RestoreRequest): void {
  if (!spec.process?.terminal || shellJob) return
  throw new KeelsonError('UNIMPLEMENTED', 'a container with a terminal cannot be given a new one', {
    op: 'restore',
    id,
    path: 'process.terminal',
    hint: 'give --shell-job at checkpoint and restore: it then gets the terminal that this is run on',
  })
}

/** By keelson-init, as at a create: it alone knows how to attach device rules to a v2 group. */
async function makeGroups(cgroup: CgroupPlan, id: string): Promise<void> {
  const parent: Plan['parent'] = [
    ...makeCgroup(cgroup, 'v2'),
    ...makeCgroup(cgroup, 'v1'),
    ...limitLate(cgroup),
    { op: 'reportCreated' },
    { op: 'leave' },
  ]
  const plan = { parent, child: [] }
  const started = await startInit({ plan: encodePlan(plan), inherited: [] })
  closeSync(started.control)
  await reapInit(started)
  if (started.type === frameType.failure) throw failureError(started.payload, plan, 'restore', id)
  if (started.type !== frameType.created) throw lostError('restore', id)
}

async function runInRoot(
  request: RestoreRequest,
  directory: string,
  layout: CgroupLayout,
  cgroup: CgroupPlan | undefined,
): Promise<void> {
  const { id, spec, bundle, criu, stdio, wait } = request
  const root = join(directory, restoreFiles.root)
  mkdirSync(root, { mode: 0o700 })
  const { opened, ...facts } = await factsOf(request, layout, cgroup)
  try {
    await runCriu({
      criu,
      args: restoreArguments(request, {
        ...facts,
        root,
        pidFile: join(directory, restoreFiles.pid),
        sibling: wait,
      }),
      inherited: [...stdio, ...opened],
      log: join(request.workPath ?? request.imagePath, 'restore.log'),
      root: { source: resolve(bundle, spec.root?.path ?? ''), place: root },
      op: 'restore',
      id,
    })
  } finally {
    for (const fd of opened) closeSync(fd)
  }
}

type Gathered = Omit<RestoreFacts, 'root' | 'pidFile' | 'sibling'> & { opened: number[] }

async function factsOf(
  { spec, imagePath, id }: RestoreRequest,
  layout: CgroupLayout,
  cgroup: CgroupPlan | undefined,
): Promise<Gathered> {
  const opened: number[] = []
  const inherited = inheritedStdio(imagePath, id)
  const joined: [string, string][] = []
  for (const { kind, path } of namespacePaths(spec)) {
    if (kind !== 'net' && kind !== 'pid') joined.push([kind, path])
    else inherited.push([2 + opened.push(openNamespace(path, id)), namespaceKey(kind)])
  }
  return {
    externalMounts: externalMounts(spec, () => true), // those of directories are not in the images
    inherited,
    joined,
    cgroups: cgroup ? cgroupRoots(layout, cgroup) : [],
    config: criuConfig(spec.annotations ?? {}),
    opened,
  }
}

function openNamespace(path: string, id: string): number {
  try {
    return openSync(path, 'r')
  } catch (error) {
    throw asKeelsonError(error, { op: 'restore', id })
  }
}
