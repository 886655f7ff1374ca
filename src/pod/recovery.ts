import { existsSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { hasCode } from '../base/index.ts'
import { type Container, type ContainerState, cgroupLeaves, killCgroup } from '../oci/index.ts'
import { containerCgroup, podCgroupPath } from './cgroup-place.ts'
import { endCheckpoint } from './checkpoint/work.ts'
import { nowNs, type PodContext, sandboxDirectory } from './context.ts'
import { sandboxOfVolume } from './image-volumes.ts'
import { lostExit, recordedExit } from './lives.ts'
import { removePodCgroup } from './pod-cgroup.ts'
import type { ContainerRecord, SandboxRecord } from './records.ts'
import { needsHolder, podNamespaces, podPins } from './spec/namespaces.ts'

/**
 * Makes records and kernel agree again after the process ended in whatever way: containers that run are watched
 * again, exits that happened meanwhile are recorded (and told) once, sandboxes whose namespaces are gone become
 * NOTREADY, and what no record speaks of is removed. Safe to repeat.
 */
export async function recover(context: PodContext): Promise<void> {
  const { store, runtime, log } = context
  const alive = new Map((await runtime.list()).map((container) => [container.id, container]))
  await Promise.all(store.containers().map((record) => reconcile(context, record, alive.get(record.id))))
  await Promise.all(store.sandboxes().map((record) => checkSandbox(context, record, alive.get(record.id))))
  await sweep(context, alive)
  log.info('pods found again', { sandboxes: store.sandboxes().length, containers: store.containers().length })
}

async function reconcile(
  context: PodContext,
  { checkpointing, ...record }: ContainerRecord,
  container: Container | undefined,
): Promise<void> {
  const { lives, clock } = context
  if (checkpointing !== undefined) await endCheckpoint(context, record.id, checkpointing, container)
  const state = await stateOf(container)
  if (!container || !state) await killLost(context, record)
  if (record.exit || (state && !['running', 'paused', 'stopped'].includes(state.status))) {
    await container?.delete({ force: true })
    if (!record.exit) await forgetMount(context, record)
    return
  }
  if (!container || !state) {
    if (record.startedAtNs === undefined) return await forgetMount(context, record)
    return await lives.record(record.id, recordedExit(lostExit(nowNs(clock))))
  }
  if (record.startedAtNs === undefined)
    await context.store.putContainer({ ...record, startedAtNs: state.startedAtNs ?? nowNs(clock) }, 'started')
  // Of one that stopped meanwhile the wait returns at once, and the exit is recorded as any other.
  lives.watch(record.id, container)
}

/**
 * Of a start that was cut short: a volatile overlay leaves a mark in its work directory, for which the kernel refuses to
 * mount it again (overlayfs.rst, volatile mount). Nothing of the container has run, so there is nothing it could warn of.
 */
async function forgetMount({ images }: PodContext, { id }: ContainerRecord): Promise<void> {
  const snapshot = images.snapshots.find(id)
  if (snapshot) await rm(join(snapshot.work, 'work'), { recursive: true, force: true })
}

/** The runtime's files are gone, its processes perhaps not: two of one container would run. */
async function killLost({ store, cgroupLayout }: PodContext, record: ContainerRecord): Promise<void> {
  const { cgroupPath } = store.sandbox(record.sandboxId)
  await killCgroup(cgroupLeaves({ layout: cgroupLayout, path: containerCgroup(cgroupPath, record.id) }))
}

async function stateOf(container: Container | undefined): Promise<ContainerState | undefined> {
  try {
    return await container?.state()
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return undefined
    throw error
  }
}

/**
 * A pod lives as long as its namespaces do, the process that holds some of them, and the files that its containers see;
 * a reboot takes all of it.
 */
async function checkSandbox(
  context: PodContext,
  record: SandboxRecord,
  holder: Container | undefined,
): Promise<void> {
  if (record.stoppedAtNs !== undefined) return
  const isHeld = !needsHolder(podNamespaces(record.config)) || (await stateOf(holder))?.status === 'running'
  if (isHeld && existsSync(sandboxDirectory(context, record.id)) && (await namespacesHold(context, record))) {
    if (holder) context.holders.watch(record.id, holder)
    return
  }
  context.log.warn('the namespaces or files of a pod are gone', { id: record.id })
  await context.store.stopSandbox(record.id, nowNs(context.clock))
}

async function namespacesHold(
  { pins, network }: PodContext,
  { id, config }: SandboxRecord,
): Promise<boolean> {
  const own = podNamespaces(config)
  try {
    for (const kind of podPins(own)) (await pins.open(id, kind))[Symbol.dispose]()
    return own.network === 'host' || network.find(id) !== undefined
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return false
    throw error
  }
}

/** Whatever a crash left half made. Each is named after its sandbox or container. */
async function sweep(context: PodContext, alive: ReadonlyMap<string, Container>): Promise<void> {
  const { store, pins, network, images, filesDirectory, log } = context
  const containers = new Set(store.containers().map(({ id }) => id))
  const sandboxes = new Set(store.sandboxes().map(({ id }) => id))
  const ready = new Set(
    store.sandboxes().flatMap(({ id, stoppedAtNs }) => (stoppedAtNs === undefined ? [id] : [])),
  )
  for (const [id, container] of alive)
    if (!containers.has(id) && !ready.has(id)) await container.delete({ force: true })
  const leaving = new Set(network.list().filter((id) => !ready.has(id)))
  const stale = (await pins.list()).filter((id) => !ready.has(id))
  for (const id of stale) if (!leaving.has(id)) await pins.remove(id)
  // Pods need not wait for it, nor for a plugin that takes its time; a plugin finds the namespace as long as it works.
  Promise.all([...leaving].map((id) => network.abandon(id)))
    .then(() => Promise.all(stale.filter((id) => leaving.has(id)).map((id) => pins.remove(id))))
    .then(() => network.collect())
    .catch((error: unknown) => log.warn('the pod network was not cleaned up', { error }))
  for (const { key } of images.snapshots.list())
    if (!containers.has(key) && !sandboxes.has(sandboxOfVolume(key) ?? '')) await images.snapshots.remove(key)
  for (const id of await readdir(filesDirectory))
    if (!sandboxes.has(id)) await rm(join(filesDirectory, id), { recursive: true, force: true })
  for (const path of await podCgroups(context))
    if (!context.cgroups.isUsed(path)) await removePodCgroup(context, path)
}

/** Cgroups below ours that are named by a sandbox, in any hierarchy, whichever driver made them. */
async function podCgroups({ cgroupInstance, cgroupLayout }: PodContext): Promise<Set<string>> {
  const { v1, v2 } = cgroupLayout
  const slices = posix.dirname(podCgroupPath('systemd', cgroupInstance, 'x', ''))
  const found = (v2 ? [...v1, v2] : v1).flatMap(({ mountPoint }) =>
    [`/${cgroupInstance}`, slices].map(async (above) => {
      const names = await readdir(join(mountPoint, above)).catch(() => [])
      return names.filter((name) => ofSandbox.test(name)).map((name) => `${above}/${name}`)
    }),
  )
  return new Set((await Promise.all(found)).flat())
}

const ofSandbox = /^([a-z][a-z0-9-]*-)?[0-9a-f]{64}(\.slice)?$/
