import { openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { bootId, Cleanup } from '../base/index.ts'
import { ownFd, type StartedInit, sendInitFrame, startInit } from '../kernel/index.ts'
import { type CgroupPlan, killCgroup, removeCgroup, requireUnused } from './cgroup/index.ts'
import { compileCreate } from './compile/create.ts'
import type { CompileRequest } from './compile/request.ts'
import { compileVerbs } from './compile/verbs.ts'
import { DiskContainer } from './container.ts'
import type { RuntimeContext } from './context.ts'
import { failureError, lostError } from './failure.ts'
import { decodeCreated, frameType } from './frames.ts'
import { recordedHooks, runPoststop } from './hooks/recorded.ts'
import { closeInit } from './init-channel.ts'
import { compileRdt, type RdtPlace, removeRdt } from './intel-rdt.ts'
import { openNamespaces } from './joined-namespaces.ts'
import { noticeOfOomScore, noticesOf } from './notices.ts'
import { cgroupOf, firstLimit } from './place-cgroup.ts'
import { encodePlan, type Plan } from './plan/index.ts'
import type { Container, CreateRequest } from './runtime.ts'
import { containerDirectory, lockNewDirectory } from './state/directory.ts'
import {
  type DecidedRecord,
  encodeConfig,
  encodeRecord,
  markCreated,
  recordFiles,
  recordVersion,
} from './state/record.ts'
import { Supervised } from './supervised.ts'
import { answerAsked } from './systemd-scope.ts'
import { completeUserNamespace } from './user-namespace.ts'

/**
 * Makes a container up to `created`. keelson-init does the work; until it is told to commit, the end of this
 * process ends the container too. What fails is taken back here, so a failed create leaves nothing.
 */
export async function createContainer(context: RuntimeContext, given: CreateRequest): Promise<Container> {
  const request = complete(context, given)
  await using afterwards = new Cleanup() // when everything else has been taken back
  await using undo = new Cleanup()
  request.signal?.throwIfAborted()
  const directory = containerDirectory(context.stateRoot, request.id)
  using lock = await lockNewDirectory(directory, request.id, request.signal)
  undo.defer(() => rm(directory, { recursive: true, force: true }))
  using directoryFd = ownFd(openSync(directory, 'r'))
  await using namespaces = new Cleanup()
  const namespaceFds = openNamespaces(request, namespaces)
  const place = { directory, directoryFd: directoryFd.fd, lockFd: lock.fd, namespaceFds }
  const { cgroup, record, input } = await prepareCreate(context, request, place)
  if (cgroup) await requireUnused(cgroup) // before anything of ours could be taken back in there
  const { plan, inherited } = compileCreate(input)
  warn(context, request, cgroup)
  if (cgroup) undo.defer(() => discardCgroup(context, cgroup))
  undo.defer(() => removeRdt(input.rdt))
  request.signal?.throwIfAborted()
  afterwards.defer(() => runPoststop(context, request.id, input.records[recordFiles.poststop]))
  const starting = startPlan(context, request, plan, inherited)
  context.filters?.save() // while keelson-init is at work
  const first = await starting
  await using answered = new Cleanup()
  answered.defer(() => closeInit(first)) // before the commit this ends the container
  const started = await answerAsked(context, request, cgroup?.systemd, first, undo)
  request.signal?.throwIfAborted()
  const pid = commit(started, plan, directory, request.id)
  undo.keep()
  afterwards.keep()
  context.log.debug('created', { id: request.id })
  const unlowered = noticeOfOomScore(request.spec.process, pid)
  if (unlowered !== undefined) context.log.warn(unlowered, { id: request.id })
  if (request.life.kind === 'monitored')
    return new DiskContainer(context, request.id, directory, { monitored: record })
  if (request.life.kind !== 'foreground') return new DiskContainer(context, request.id, directory)
  answered.keep()
  return new DiskContainer(context, request.id, directory, { foreground: new Supervised(started, pid) })
}

function startPlan(
  { zygote }: RuntimeContext,
  { life, holds, signal }: CreateRequest,
  plan: Plan,
  inherited: readonly number[],
): Promise<StartedInit> {
  const init = { plan: encodePlan(plan), inherited, signal }
  return life.kind === 'monitored' || holds ? zygote.start(init) : startInit(init)
}

/** What the specification leaves to the runtime is written out, so that a later exec finds it in the record. */
export function complete({ privileges }: RuntimeContext, request: CreateRequest): CreateRequest {
  const joins = request.namespaceFds?.user !== undefined
  return { ...request, spec: completeUserNamespace(request.spec, privileges, joins) }
}

/** The container's state directory, open and locked, and the namespaces that it joins. */
type Place = Pick<CompileRequest, 'directory' | 'directoryFd' | 'lockFd' | 'namespaceFds'>

export interface PreparedCreate {
  cgroup: CgroupPlan | undefined
  record: DecidedRecord
  input: CompileRequest
}

/** What the plan of a new container depends on. */
export async function prepareCreate(
  context: RuntimeContext,
  request: CreateRequest,
  place: Place,
): Promise<PreparedCreate> {
  const cgroup = await cgroupOf(context, request)
  const rdt = compileRdt(request.spec.linux?.intelRdt, request.id, context.host)
  const record = firstRecord(context, request, cgroup, rdt)
  const input: CompileRequest = {
    ...request,
    ...place,
    rdt,
    mountFds: request.mountFds ?? {},
    cgroup,
    cgroupLayout: context.layout,
    host: context.host,
    filters: context.filters,
    privileges: context.privileges,
    records: recordsOf(context, request, record),
    fileLimit: context.fileLimit,
  }
  return { cgroup, record, input }
}

/** The record comes last: what is there without it is nobody's container. */
function recordsOf(
  { fileLimit }: RuntimeContext,
  request: CreateRequest,
  record: DecidedRecord,
): Record<string, string | Uint8Array> {
  const verbs = compileVerbs(record, request.spec)
  return {
    [recordFiles.config]: encodeConfig(request.spec),
    ...(verbs ? { [recordFiles.verbs]: encodePlan(verbs) } : {}),
    ...recordedHooks({ ...request, fileLimit }),
    [recordFiles.state]: encodeRecord(record),
  }
}

/** What was asked for and cannot be had here, where the specification lets a container run all the same. */
export function warn({ log, host }: RuntimeContext, { id, spec }: CreateRequest, cgroup?: CgroupPlan): void {
  for (const notice of [...(cgroup?.notices ?? []), ...noticesOf(spec, host)]) log.warn(notice, { id })
  const limit = cgroup ? undefined : firstLimit(spec.linux?.resources)
  if (limit !== undefined)
    log.warn(`linux.resources.${limit} is not applied: this user may not make cgroups`, { id })
}

/** keelson-init waits with everything made: that is recorded, and only then it may let go. */
export function commit(started: StartedInit, plan: Plan, directory: string, id: string): number {
  if (started.type === frameType.failure) throw failureError(started.payload, plan, 'create', id)
  if (started.type !== frameType.created) throw lostError('create', id)
  const { pid } = decodeCreated(started.payload)
  markCreated(directory)
  sendInitFrame(started.control, frameType.commit)
  return pid
}

function firstRecord(
  context: RuntimeContext,
  request: CreateRequest,
  cgroup: CgroupPlan | undefined,
  rdt: RdtPlace | undefined,
): DecidedRecord {
  const { spec } = request
  const namespaces = spec.linux?.namespaces ?? []
  return {
    version: recordVersion,
    id: request.id,
    ociVersion: spec.ociVersion,
    life: request.life.kind,
    bundle: request.bundle,
    ...rootfsPath(request),
    annotations: spec.annotations ?? {},
    createdAtNs: String(BigInt(Math.round(context.clock.nowMs() * 1000)) * 1000n),
    bootId: bootId(),
    ...(cgroup ? { cgroup: cgroupRecord(cgroup) } : {}),
    ...(rdt ? { rdt: { groups: rdt.groups, owned: rdt.owned } } : {}),
    ...(request.keepSessionKeyring ? { keepsKeyring: true } : {}),
    namespaces: {
      pid: namespaces.some(({ type, path }) => type === 'pid' && !path) && !request.namespaceFds?.pid,
      cgroup: namespaces.some(({ type }) => type === 'cgroup'),
    },
    ...(request.notify ? { notify: true } : {}),
  }
}

function cgroupRecord({ path, leaves, freezers, tasksFiles, v2Directory, systemd }: CgroupPlan) {
  return {
    path,
    leaves,
    freezers,
    tasksFiles,
    ...(v2Directory === undefined ? {} : { v2Directory }),
    ...(systemd ? { systemd } : {}),
  }
}

function rootfsPath({ rootfs, spec, bundle }: CreateRequest): { rootfs?: string } {
  if (rootfs?.kind === 'overlay') return {}
  const path = rootfs?.path ?? spec.root?.path
  return path === undefined ? {} : { rootfs: resolve(bundle, path) }
}

/** After a failure nothing of ours runs in there any more, unless keelson-init itself was killed. */
export async function discardCgroup(
  { clock }: RuntimeContext,
  { leaves }: Pick<CgroupPlan, 'leaves'>,
): Promise<void> {
  await killCgroup(leaves)
  await removeCgroup(leaves, { clock })
}
