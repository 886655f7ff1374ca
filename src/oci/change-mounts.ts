import { closeSync } from 'node:fs'
import { join, posix } from 'node:path'
import { KeelsonError } from '../base/index.ts'
import { lockFile, reapInit, startInit } from '../kernel/index.ts'
import { HostTrees } from './compile/host-trees.ts'
import { compileMounts } from './compile/mounts.ts'
import { compileNamespaces } from './compile/namespaces.ts'
import type { CompileRequest } from './compile/request.ts'
import { prepareCreate } from './create-container.ts'
import { createContext, type RuntimeOptions } from './create-runtime.ts'
import { failureError, lostError } from './failure.ts'
import { frameType } from './frames.ts'
import { MS } from './mount-options.ts'
import { CLONE } from './plan/constants.ts'
import { encodePlan } from './plan/index.ts'
import type { Operation, Plan } from './plan/operations.ts'
import { Slots } from './plan/slots.ts'
import type { Mount, Spec } from './spec.ts'
import { containerDirectory } from './state/directory.ts'
import { requireAlive } from './state/lifecycle.ts'
import { observe } from './state/observe.ts'
import { openProcess } from './state/open-process.ts'
import { readAddedMounts, readConfig, recordFiles, writeAddedMounts } from './state/record.ts'

/**
 * Mounts into a running container, and out of it again. Sources are taken from the host as detached trees, by a
 * short-lived keelson-init that then enters the container's mount namespace and attaches them there: a path of the
 * container is only ever looked up inside its root. What was added is noted in the container's record, and only that
 * may be removed.
 */
export async function addMounts(
  options: RuntimeOptions,
  id: string,
  mounts: readonly Mount[],
): Promise<void> {
  await inContainer(options, id, async ({ directory, spec, bundle, pidfd, run }) => {
    const added = readAddedMounts(directory)
    mounts.forEach(({ destination, type }, index) => {
      if (type === 'cgroup' || type === 'cgroup2')
        throw new KeelsonError('UNIMPLEMENTED', 'cgroup file systems cannot be added', {
          path: `mounts[${index}].type`,
        })
      if (added.includes(place(destination)))
        throw new KeelsonError('ALREADY_EXISTS', `a mount was added at ${destination} already`, {
          path: destination,
        })
    })
    const slots = new Slots()
    const process = slots.inherit(pidfd)
    const request = {
      ...(await requestOf(options, id, spec, bundle)),
      spec: { ...spec, mounts: [...mounts] },
    }
    // Every source is taken before the container is entered, as where a user namespace has to be crossed.
    const namespaces = { ...compileNamespaces(request, slots), user: 'joined' as const }
    const trees = new HostTrees(request, slots, namespaces, MS.PRIVATE | MS.REC)
    const attach = compileMounts(request, slots, namespaces, trees)
    await run([...trees.open, enter(process), ...attach], slots.inherited)
    writeAddedMounts(directory, [...added, ...mounts.map(({ destination }) => place(destination))])
  })
}

/** The newest first: one may lie on another. */
export async function removeMounts(
  options: RuntimeOptions,
  id: string,
  destinations: readonly string[],
): Promise<void> {
  await inContainer(options, id, async ({ directory, pidfd, run }) => {
    const added = readAddedMounts(directory)
    const wanted = destinations.map(place)
    const unknown = wanted.find((path) => !added.includes(path))
    if (unknown !== undefined)
      throw new KeelsonError('NOT_FOUND', `no mount was added at ${unknown}`, {
        path: unknown,
        hint: 'only mounts of `mounts add` are removed',
      })
    const slots = new Slots()
    const process = slots.inherit(pidfd)
    const order = added.filter((path) => wanted.includes(path)).reverse()
    const remove = order.map((path): Operation => ({ op: 'removeMount', path }))
    await run([enter(process), ...remove], slots.inherited)
    writeAddedMounts(
      directory,
      added.filter((path) => !wanted.includes(path)),
    )
  })
}

const place = (destination: string) => posix.join('/', destination).replace(/(.)\/$/, '$1')
const enter = (pidfd: number): Operation => ({ op: 'enterProcess', pidfd, namespaces: CLONE.NEWNS })

interface Inside {
  directory: string
  spec: Spec
  bundle: string
  pidfd: number
  /** The steps of a keelson-init that then ends. */
  run(steps: readonly Operation[], inherited: readonly number[]): Promise<void>
}

async function inContainer(
  options: RuntimeOptions,
  id: string,
  change: (inside: Inside) => Promise<void>,
): Promise<void> {
  const directory = containerDirectory(options.stateRoot, id)
  observe(directory, id) // before the lock, which says less of a container that is not there
  using _lock = await lockFile(join(directory, recordFiles.lock))
  const { record, status } = observe(directory, id)
  requireAlive(status, 'change the mounts of', id)
  using process = record.process && openProcess(record.process, record.bootId)
  if (!process) throw new KeelsonError('FAILED_PRECONDITION', `container ${id} has stopped`, { id })
  const spec = readConfig(directory)
  const run = (steps: readonly Operation[], inherited: readonly number[]) => carryOut(steps, inherited, id)
  await change({ directory, spec, bundle: record.bundle, pidfd: process.fd, run })
}

async function carryOut(
  steps: readonly Operation[],
  inherited: readonly number[],
  id: string,
): Promise<void> {
  const parent: Operation[] = [{ op: 'undumpable' }, ...steps, { op: 'reportCreated' }, { op: 'leave' }]
  const plan: Plan = { parent, child: [] }
  const started = await startInit({ plan: encodePlan(plan), inherited })
  closeSync(started.control)
  await reapInit(started)
  if (started.type === frameType.failure) throw failureError(started.payload, plan, 'mounts', id)
  if (started.type !== frameType.created) throw lostError('mounts', id)
}

async function requestOf(
  options: RuntimeOptions,
  id: string,
  spec: Spec,
  bundle: string,
): Promise<CompileRequest> {
  const none = { directory: '', directoryFd: -1, lockFd: -1, namespaceFds: {} }
  const create = { id, spec, bundle, life: { kind: 'detached' } } as const
  return (await prepareCreate(createContext(options), create, none)).input
}
