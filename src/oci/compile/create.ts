import { join } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import { enrolChild } from '../intel-rdt.ts'
import { parseLandlock } from '../landlock.ts'
import { CLONE } from '../plan/constants.ts'
import { barriers, type Operation, type Plan } from '../plan/operations.ts'
import { Slots } from '../plan/slots.ts'
import { containerFilter } from '../seccomp/index.ts'
import type { Process, Spec } from '../spec.ts'
import { recordFiles } from '../state/record.ts'
import { limitLate, makeCgroup, makeV1, openV2 } from './cgroup.ts'
import { effectiveSpec } from './effective-spec.ts'
import { compileHooks, type HookPlan } from './hooks.ts'
import { compileKeyring } from './labels.ts'
import { compileLife, type LifePlan } from './life.ts'
import { compileNamespaces } from './namespaces.ts'
import { compileNetworkDevices } from './network-devices.ts'
import { onBehalf } from './on-behalf.ts'
import { compileProgram } from './program.ts'
import type { CompileRequest } from './request.ts'
import { compileRootfs } from './rootfs.ts'
import { compileFilter, type FilterPlan, type ListenerState } from './seccomp.ts'

export interface CompiledPlan {
  plan: Plan
  /** Descriptors of this process that become the plan's first slots. */
  inherited: readonly number[]
}

/**
 * The plan that makes a container up to the moment before its program. A pure function: the same request gives the
 * same plan. INVALID_ARGUMENT and UNIMPLEMENTED name the JSON path.
 */
export function compileCreate(given: CompileRequest): CompiledPlan {
  const request = { ...given, spec: effectiveSpec(given) }
  const { spec, cgroup } = request
  const process = requireProcess(spec)
  const slots = new Slots()
  const directory = slots.inherit(request.directoryFd)
  const lock = slots.inherit(request.lockFd)
  const namespaces = compileNamespaces(request, slots)
  const devices = compileNetworkDevices(spec.linux, namespaces)
  const rootfs = compileRootfs(request, slots, namespaces, directory)
  const life = compileLife(request, slots, directory)
  const hooks = compileHooks(request, slots, request.fileLimit, namespaces.parent.length > 0)
  const pidfd = sendPidfd(request, slots)
  const v2 = openV2(cgroup, slots)
  const filter = compileFilter(containerFilter({ ...spec, ...request }), listenerState(request), slots)
  const v1 = makeV1(request, namespaces, slots)
  const isHeldInUser = request.holds === true && namespaces.user !== 'none'
  const child: Operation[] = [
    ...namespaces.child,
    ...(namespaces.unshareNetwork ? newNetwork : []),
    ...devices.ready,
    ...v1.join,
    ...(namespaces.unshareCgroup ? [{ op: 'unshare', flags: CLONE.NEWCGROUP } as const] : []),
    { op: 'resetAffinity' },
    { op: 'newSession' },
    ...(request.keepSessionKeyring ? [] : compileKeyring(keyringName(request.id), process, request.host)),
    ...rootfs.mount,
    ...devices.await,
    ...hooks.beforePivot,
    ...rootfs.enter,
    ...programOf(request, isHeldInUser ? withoutScore(process) : process, filter, life, hooks),
  ]
  const parent: Operation[] = [
    ...life.first,
    ...pidfd.connect,
    ...writeRecords(request, directory),
    ...makeNotifyDirectories(request),
    ...filter.connect,
    ...life.beforeClone,
    ...hooks.open,
    ...(cgroup?.systemd ? [] : makeCgroup(cgroup, 'v2')),
    ...(request.rdt?.make ?? []),
    ...v2.operations,
    ...v1.beforeClone,
    ...rootfs.open,
    ...onBehalf(request, namespaces, life.stdio, child),
    ...namespaces.parent,
    namespaces.clone(v2.slot),
    // So that a delete after a crash knows the process as early as can be.
    { op: 'recordProcess', directory, name: 'pid' },
    ...namespaces.afterClone,
    ...rootfs.close,
    ...(request.rdt ? enrolChild(request.rdt) : []),
    ...v1.afterClone,
    ...devices.move,
    ...hooks.parent,
    ...life.afterClone,
    ...filter.tell,
    { op: 'await', barrier: barriers.joined },
    ...limitLate(cgroup),
    ...pidfd.send,
    { op: 'reportCreated' },
    { op: 'awaitCommit' },
    { op: 'closeSlot', slot: lock },
    { op: 'signal', barrier: barriers.committed },
    ...life.last,
  ]
  return { plan: { parent, child }, inherited: slots.inherited }
}

function programOf(
  request: CompileRequest,
  process: Process,
  filter: FilterPlan,
  life: LifePlan,
  hooks: HookPlan,
): Operation[] {
  const { spec, host, fileLimit, holds } = request
  return compileProgram({
    process,
    filter,
    linux: spec.linux,
    landlock: parseLandlock(spec.annotations),
    host,
    stdio: life.stdio,
    preserved: life.preserved,
    listener: life.listener,
    isInit: true,
    ...(holds ? { holds } : {}),
    fileLimit,
    hooks: hooks.beforeProgram,
    later: hooks.later,
    wait: untilStart,
  })
}

/** Its parent has set it; in an empty root of a user namespace there is no procfs to do it by. */
function withoutScore({ oomScoreAdj: _, ...process }: Process): Process {
  return process
}

function listenerState({ id, spec, bundle }: CompileRequest): ListenerState {
  const { ociVersion, annotations = {} } = spec
  return { ociVersion, id, status: 'created', bundle, annotations }
}

function requireProcess({ process }: Spec): Process {
  if (process) return process
  throw new KeelsonError('INVALID_ARGUMENT', 'process is missing: there is nothing to run', {
    path: 'process',
  })
}

const untilStart: readonly Operation[] = [
  { op: 'signal', barrier: barriers.joined },
  { op: 'await', barrier: barriers.committed },
  { op: 'awaitStart' },
]

const newNetwork: readonly Operation[] = [{ op: 'unshare', flags: CLONE.NEWNET }, { op: 'raiseLoopback' }]

/** One for its socket, and a place for its root that does not cover that. */
function makeNotifyDirectories({ directory, notify }: CompileRequest): Operation[] {
  const names = notify ? [recordFiles.notify, recordFiles.root] : []
  return names.map((name) => ({ op: 'makeDirectory', path: join(directory, name), mode: 0o755 }))
}

/** Of the container and its execs; also what runc calls it. */
export function keyringName(id: string): string {
  return `_ses.${id}`
}

function writeRecords({ records }: CompileRequest, directory: number): Operation[] {
  return Object.entries(records).map(([name, data]) => ({
    op: 'replaceFile',
    directory,
    name,
    data: typeof data === 'string' ? Buffer.from(data) : data,
  }))
}

/** crun's word for what runc takes as an option. */
const pidfdAnnotation = 'run.oci.pidfd_receiver'

/** Connected before anything is made, sent when the container is complete. The message's text is runc's. */
function sendPidfd({ pidfdSocket, spec }: CompileRequest, slots: Slots) {
  const path = pidfdSocket ?? spec.annotations?.[pidfdAnnotation]
  if (!path) return { connect: [], send: [] }
  const socket = slots.allocate()
  return {
    connect: [{ op: 'connect', path, to: socket } satisfies Operation],
    send: [{ op: 'sendPidfd', socket, message: 'standard' } satisfies Operation],
  }
}
