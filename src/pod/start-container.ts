import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type StartContainerRequest, StartContainerResponse } from '../../cri/types.ts'
import { asKeelsonError, Cleanup, KeelsonError } from '../base/index.ts'
import { cloneMountTree, type NamespacePin } from '../kernel/index.ts'
import type { Container, CreateRequest, RestoredCreate, Spec } from '../oci/index.ts'
import { continueLog } from './checkpoint/continue-log.ts'
import { parts } from './checkpoint/documents.ts'
import { findProgram } from './checkpoint/possible.ts'
import { containerSpec, isDescriptorPath } from './container-spec.ts'
import { nowNs, type PodContext, sandboxDirectory } from './context.ts'
import { targetOf } from './create-container.ts'
import { openNamespacesOf } from './holders.ts'
import { layerMountsOf } from './image-volumes.ts'
import type { ContainerRecord, SandboxRecord } from './records.ts'
import { runningContainer } from './running.ts'
import { podSharedMemory } from './spec/mounts.ts'
import { containerPid, podNamespaces, podPins } from './spec/namespaces.ts'
import { together } from './together.ts'
import { writableLayerBytesMax } from './writable-layer.ts'

/** Only from CREATED. A start that fails leaves the container EXITED with code 128, reason StartError. */
export async function startContainer(
  context: PodContext,
  { containerId }: StartContainerRequest,
): Promise<StartContainerResponse> {
  const { id } = context.store.container(containerId)
  await context.joined.starts.run(id, () =>
    context.turns.take(id, () => start(context, context.store.container(id))),
  )
  return StartContainerResponse.create()
}

async function start(context: PodContext, record: ContainerRecord): Promise<void> {
  refuseUnlessCreated(record)
  const sandbox = context.store.sandbox(record.sandboxId)
  if (sandbox.stoppedAtNs !== undefined)
    throw wrongState(record, `its pod sandbox ${sandbox.id} is not ready`)
  try {
    context.lives.watch(record.id, await launch(context, sandbox, record))
  } catch (error) {
    const { message } = asKeelsonError(error)
    const finishedAtNs = nowNs(context.clock)
    await context.lives.record(record.id, { exitCode: 128, finishedAtNs, reason: 'StartError', message })
    throw error
  }
}

/** Ends what it started when that cannot be recorded: nobody would watch it, and another would be started beside it. */
async function launch(
  context: PodContext,
  sandbox: SandboxRecord,
  record: ContainerRecord,
): Promise<Container> {
  const { images, runtime } = context
  const spec = await containerSpec(context, sandbox, record)
  await using joined = new Cleanup()
  const [{ lower, upper, work }, namespaceFds, shm, held] = await together(
    images.snapshots.prepare(record.id, record.imageId, {
      bytesMax: writableLayerBytesMax(context, sandbox, record),
    }),
    openNamespaces(context, joined, sandbox, record),
    openSharedMemory(context, joined, sandbox, spec),
    cloneHeldSources(joined, spec),
    record.logPath && mkdir(dirname(record.logPath), { recursive: true, mode: 0o755 }),
  )
  await using undo = new Cleanup()
  const life = {
    kind: 'monitored' as const,
    ...(record.logPath ? { logPath: record.logPath } : {}),
    stdin: record.config.stdin,
    stdinOnce: record.config.stdinOnce,
  }
  const request: CreateRequest & { life: typeof life } = {
    id: record.id,
    spec,
    bundle: sandboxDirectory(context, sandbox.id),
    rootfs: { kind: 'overlay', lower, upper, work, volatile: true },
    namespaceFds,
    mountFds: { ...shm, ...held },
    ...(record.imageVolumes ? { layerMounts: layerMountsOf(context, record) } : {}),
    life,
  }
  const container = await (record.restores ? restore(context, record, request) : runtime.create(request))
  undo.defer(() => container.delete({ force: true }))
  if (!record.restores) await container.start()
  await context.store.putContainer({ ...record, startedAtNs: nowNs(context.clock) }, 'started')
  undo.keep()
  if (record.restores) await dropCheckpoint(context, record)
  return container
}

/** From the checkpoint beside its snapshot: afterwards it runs. */
async function restore(
  { images, runtime, programPath }: PodContext,
  { id, logPath }: ContainerRecord,
  request: Omit<RestoredCreate, 'checkpoint'>,
): Promise<Container> {
  const kept = images.snapshots.kept(id)
  if (kept === undefined)
    throw new KeelsonError('DATA_LOSS', `the checkpoint of container ${id} is gone`, {
      op: 'StartContainer',
      id,
    })
  const criu = findProgram({ programPath })
  if (logPath !== '') await continueLog(kept, logPath)
  return await runtime.restore({
    ...request,
    checkpoint: { criu, programPath, imagePath: join(kept, parts.images), workPath: kept },
  })
}

/** It may be large, and a container starts only once. */
async function dropCheckpoint({ images, log }: PodContext, { id }: ContainerRecord): Promise<void> {
  await images.snapshots.drop(id).catch((error: unknown) => {
    log.warn('the checkpoint of a restored container was not removed', { id, error })
  })
}

/** The pod's namespaces, open for as long as the container is being made. */
async function openNamespaces(
  context: PodContext,
  joined: Cleanup,
  { id, config }: SandboxRecord,
  record: ContainerRecord,
): Promise<NonNullable<CreateRequest['namespaceFds']>> {
  const own = podNamespaces(config)
  const pid = containerPid(record.config.linux?.securityContext?.namespaceOptions, own)
  const kinds = podPins(own).filter((kind) => kind !== 'pid' || pid.kind === 'pod')
  const open = async (kind: NamespacePin) => (await joined.use(context.pins.open(id, kind))).fd
  const opened = await together(...kinds.map(async (kind) => [kind, await open(kind)] as const))
  const target = pid.kind === 'target' ? await openTarget(context, joined, record, pid.containerId) : {}
  return { ...Object.fromEntries(opened), ...target }
}

/** The pod's /dev/shm, unless the specification has something else at its place, or the host's. */
async function openSharedMemory(
  { pins }: PodContext,
  joined: Cleanup,
  { id }: SandboxRecord,
  { mounts = [] }: Spec,
): Promise<Record<string, number>> {
  if (!mounts.includes(podSharedMemory)) return {}
  return { [podSharedMemory.destination]: (await joined.use(pins.open(id, 'shm'))).fd }
}

/** The PID namespace of another container of the pod, which has to run. */
async function openTarget(
  context: PodContext,
  joined: Cleanup,
  { sandboxId }: ContainerRecord,
  targetId: string,
): Promise<CreateRequest['namespaceFds']> {
  const { container } = await runningContainer(context, targetOf(context, sandboxId, targetId).id)
  return openNamespacesOf(container, ['pid'], joined)
}

/** Sources named by a descriptor are taken from it here: the container's own mount namespace could not. */
async function cloneHeldSources(joined: Cleanup, spec: Spec): Promise<Record<string, number>> {
  const held = (spec.mounts ?? []).filter(({ source = '' }) => isDescriptorPath(source))
  const trees = held.map(async ({ destination, source = '' }) => {
    const { fd } = await joined.use(cloneMountTree(source))
    return [destination, fd] as const
  })
  return Object.fromEntries(await together(...trees))
}

function refuseUnlessCreated(record: ContainerRecord): void {
  if (record.exit) throw wrongState(record, 'it has exited')
  if (record.startedAtNs !== undefined) throw wrongState(record, 'it is running')
}

function wrongState({ id }: ContainerRecord, why: string): KeelsonError {
  return new KeelsonError('FAILED_PRECONDITION', `container ${id} cannot be started: ${why}`, {
    op: 'StartContainer',
    id,
  })
}
