import { hasErrno } from '../base/index.ts'
import { awaitFrame, pidfdWait } from '../kernel/index.ts'
import { killCgroup, oomFileOf, oomKills } from './cgroup/index.ts'
import { layoutAsMade } from './cgroup/path.ts'
import type { RuntimeContext } from './context.ts'
import { frameType } from './frames.ts'
import { busyPauseMs, exitOf, isNobodyThere } from './monitor-client.ts'
import type { Exit } from './runtime.ts'
import { factsOf } from './state/observe.ts'
import { openProcess } from './state/open-process.ts'
import {
  type ContainerRecord,
  type DecidedRecord,
  readExit,
  readRecord,
  recordFiles,
  writeExit,
} from './state/record.ts'
import type { Supervised } from './supervised.ts'

/** What only the object that `create` returned knows. */
export interface Made {
  /** keelson-init waits with us. */
  foreground?: Supervised
  /** What was decided, which no one changes: it need not be read to find the monitor. */
  monitored?: DecidedRecord
}

/** Resolves with the exit, from its record or as soon as the monitor tells. The signal ends the asking. */
export async function waitForExit(
  context: RuntimeContext,
  id: string,
  directory: string,
  signal: AbortSignal,
  { foreground, monitored }: Made = {},
): Promise<Exit> {
  if (foreground) return foregroundExit(context, readRecord(directory), directory, foreground)
  if (monitored) return await watchedExit(context, monitored, directory, signal)
  const { record, exit: recorded } = factsOf(directory, id)
  if (recorded) return recorded
  if (record.life === 'monitored') return await watchedExit(context, record, directory, signal)
  const exit = await detachedExit(context, record, directory, signal)
  await endRest(context, record)
  return exit
}

async function watchedExit(
  context: RuntimeContext,
  record: DecidedRecord,
  directory: string,
  signal: AbortSignal,
): Promise<Exit> {
  const exit = await monitoredExit(context, record, directory, signal)
  await endRest(context, record)
  return exit
}

/**
 * A monitor ends what is left in the cgroup itself where there is a cgroup.kill (native/init/exit.c); on v1 alone, and
 * where nobody of ours stayed, whoever learns of the end does.
 */
async function endRest(
  { clock }: RuntimeContext,
  { namespaces, cgroup, life }: DecidedRecord,
): Promise<void> {
  const isDone = namespaces.pid || (life === 'monitored' && cgroup?.v2Directory !== undefined)
  if (cgroup && !isDone) await killCgroup(cgroup.leaves, undefined, clock)
}

async function foregroundExit(
  context: RuntimeContext,
  record: ContainerRecord | undefined,
  directory: string,
  foreground: Supervised,
): Promise<Exit> {
  const ended = await foreground.exit
  const oomKilled = await wasOomKilled(context, record)
  const exit: Exit = { ...ended, oomKilled, finishedAtNs: nowNs(context) }
  if (record) writeExit(directory, exit)
  if (record) await endRest(context, record)
  return exit
}

async function monitoredExit(
  context: RuntimeContext,
  record: DecidedRecord,
  directory: string,
  signal: AbortSignal,
): Promise<Exit> {
  const told = await exitFrame(context, directory, signal)
  if (told && told.type !== 0) return exitOf(told.payload)
  signal.throwIfAborted() // it was us who hung up: that tells nothing about the monitor
  return readExit(directory) ?? monitorLost(context, record, directory)
}

/** Undefined when there is no monitor. One whose queue is full is there, and nothing of it is known yet. */
async function exitFrame({ clock }: RuntimeContext, directory: string, signal: AbortSignal) {
  for (;;) {
    try {
      return await awaitFrame({ directory, name: recordFiles.monitorSocket, type: frameType.exited }, signal)
    } catch (error) {
      if (isNobodyThere(error)) return undefined
      if (!hasErrno(error, 'EAGAIN')) throw error
      await clock.sleep(busyPauseMs, signal)
    }
  }
}

/** Without its monitor nobody would ever learn of the exit, so the container ends with it. */
async function monitorLost(context: RuntimeContext, record: DecidedRecord, directory: string): Promise<Exit> {
  context.log.warn('the monitor is lost: the container is ended', { id: record.id })
  if (record.cgroup) await killCgroup(record.cgroup.leaves)
  const exit: Exit = {
    exitCode: 137,
    signal: 9,
    oomKilled: false,
    finishedAtNs: nowNs(context),
    reason: 'MonitorLost',
  }
  writeExit(directory, exit)
  return exit
}

/** A detached container tells its exit code to its parent only: to us when we are its subreaper. */
async function detachedExit(
  context: RuntimeContext,
  record: ContainerRecord,
  directory: string,
  signal: AbortSignal,
): Promise<Exit> {
  using process = record.process && openProcess(record.process, record.bootId, { zombie: true })
  const ended = process && (await pidfdWait(process.fd, signal))
  signal.throwIfAborted()
  const exit: Exit = {
    exitCode: ended?.code ?? 255,
    ...(ended && ended.signal > 0 ? { signal: ended.signal } : {}),
    oomKilled: await wasOomKilled(context, record),
    finishedAtNs: nowNs(context),
    ...(ended ? {} : { reason: 'NotOurChild' }),
  }
  if (ended) writeExit(directory, exit)
  return exit
}

/** While the cgroup is there; a monitor counts by itself. */
async function wasOomKilled(
  { layout }: RuntimeContext,
  record: ContainerRecord | undefined,
): Promise<boolean> {
  const { cgroup } = record ?? {}
  const file = cgroup && oomFileOf(layoutAsMade(layout, cgroup), cgroup.path)
  return file !== undefined && (await oomKills(file)) > 0
}

function nowNs({ clock }: RuntimeContext): bigint {
  return BigInt(Math.round(clock.nowMs() * 1000)) * 1000n
}
