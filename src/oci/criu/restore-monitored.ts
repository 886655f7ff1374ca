import { fstatSync, openSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Cleanup, KeelsonError, SyscallError } from '../../base/index.ts'
import { ownFd, type StartedInit } from '../../kernel/index.ts'
import { requireUnused } from '../cgroup/index.ts'
import { cgroupRoots } from '../cgroup/roots.ts'
import type { CompileRequest } from '../compile/request.ts'
import { compileRestore, type MadeForCriu } from '../compile/restore.ts'
import { DiskContainer } from '../container.ts'
import type { RuntimeContext } from '../context.ts'
import { commit, discardCgroup, prepareCreate, warn } from '../create-container.ts'
import { closeInit } from '../init-channel.ts'
import { openNamespaces } from '../joined-namespaces.ts'
import { encodePlan } from '../plan/index.ts'
import type { Container, RestoredCreate } from '../runtime.ts'
import { containerDirectory, lockNewDirectory } from '../state/directory.ts'
import { markStarted, restoreFiles, writeRecords } from '../state/record.ts'
import { namespaceKey, restoreArguments } from './arguments.ts'
import { inheritedStdio } from './descriptors.ts'
import { criuConfig, externalMounts } from './external.ts'
import { criuError } from './run-criu.ts'

/**
 * Makes a container from a checkpoint as keelson-init makes one from nothing: the same record, groups, log and monitor,
 * only that its first process is made by criu (native/init/adopt.c). What fails is taken back here.
 */
export async function restoreMonitored(context: RuntimeContext, request: RestoredCreate): Promise<Container> {
  refuse(request)
  const { id, signal, checkpoint } = request
  await using undo = new Cleanup()
  const directory = containerDirectory(context.stateRoot, id)
  using lock = await lockNewDirectory(directory, id, signal)
  undo.defer(() => rm(directory, { recursive: true, force: true }))
  using directoryFd = ownFd(openSync(directory, 'r'))
  await using namespaces = new Cleanup()
  const namespaceFds = openNamespaces(request, namespaces)
  const place = { directory, directoryFd: directoryFd.fd, lockFd: lock.fd, namespaceFds }
  const { cgroup, input } = await prepareCreate(context, request, place)
  if (cgroup?.systemd)
    throw new KeelsonError('UNIMPLEMENTED', 'a container whose cgroup systemd makes cannot be restored', {
      op: 'restore',
      id,
    })
  if (cgroup) await requireUnused(cgroup)
  const { plan, inherited } = compileRestore(input, {
    path: checkpoint.criu,
    environment: [`PATH=${checkpoint.programPath}`],
    args: (made) => argumentsOf(context, request, input, made),
    isFile: (fd) => !fstatSync(fd).isDirectory(),
  })
  warn(context, request, cgroup)
  writeRecords(directory, input.records)
  if (cgroup) undo.defer(() => discardCgroup(context, cgroup))
  await using started = closing(await context.zygote.start({ plan: encodePlan(plan), inherited, signal }))
  try {
    commit(started, plan, directory, id)
  } catch (error) {
    if (!(error instanceof SyscallError) || error.call !== 'criu') throw error
    throw await criuError({ log: logOf(request), op: 'restore', id }, 'it ended without saying why')
  }
  markStarted(directory, BigInt(Math.round(context.clock.nowMs() * 1000)) * 1000n)
  await removeRestoreFiles(directory)
  undo.keep()
  return new DiskContainer(context, id, directory)
}

const closing = (started: StartedInit) =>
  Object.assign(started, { [Symbol.asyncDispose]: async () => closeInit(started) })

function refuse({ spec, namespaceFds = {}, id }: RestoredCreate): void {
  const hooks = Object.values(spec.hooks ?? {}).some((list) => list.length > 0)
  const what = spec.process?.terminal
    ? 'a terminal'
    : namespaceFds.user !== undefined || spec.linux?.namespaces?.some(({ type }) => type === 'user')
      ? 'a user namespace'
      : hooks
        ? 'hooks'
        : undefined
  if (what !== undefined)
    throw new KeelsonError('UNIMPLEMENTED', `a container with ${what} cannot be restored`, {
      op: 'restore',
      id,
    })
}

const logOf = ({ checkpoint }: RestoredCreate) =>
  join(checkpoint.workPath ?? checkpoint.imagePath, 'restore.log')

function argumentsOf(
  { layout }: RuntimeContext,
  { spec, checkpoint, id }: RestoredCreate,
  { cgroup }: CompileRequest,
  made: MadeForCriu,
): string[] {
  const { namespaces, mounts } = made
  const isKept = (kind: string) => kind === 'net' || kind === 'pid'
  return restoreArguments(checkpoint, {
    root: made.root,
    pidFile: made.pidFile,
    sibling: true,
    externalMounts: externalMounts(spec, () => true).map(([destination, source]) => [
      destination,
      mounts[destination] ?? source,
    ]),
    inherited: [
      ...inheritedStdio(checkpoint.imagePath, id),
      ...namespaces.flatMap(([kind, fd]) =>
        isKept(kind) ? [[fd, namespaceKey(kind as 'net' | 'pid')] as const] : [],
      ),
    ],
    joined: namespaces.flatMap(([kind, fd]) =>
      isKept(kind) ? [] : [[kind, `/proc/self/fd/${fd}`] as const],
    ),
    cgroups: cgroup ? cgroupRoots(layout, cgroup) : [],
    config: criuConfig(spec.annotations ?? {}),
  })
}

/** The state of a container is a flat directory: whoever deletes it may count on that. */
async function removeRestoreFiles(directory: string): Promise<void> {
  const { root, pid, mount } = restoreFiles
  for (const name of await readdir(directory))
    if (name === root || name === pid || name.startsWith(mount))
      await rm(join(directory, name), { recursive: true, force: true })
}
