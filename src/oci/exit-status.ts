import { awaitFrame, pidfdWait } from '../kernel/index.ts'
import { killCgroup } from './cgroup/index.ts'
import type { RuntimeContext } from './context.ts'
import { frameType } from './frames.ts'
import { exitOf, isNobodyThere } from './monitor-client.ts'
import type { Exit } from './runtime.ts'
import { recordOf } from './state/observe.ts'
import { openProcess } from './state/open-process.ts'
import { type ContainerRecord, readExit, recordFiles, writeExit } from './state/record.ts'
import type { Supervised } from './supervised.ts'

/** Resolves with the exit, from its record or as soon as the monitor tells. The signal ends the asking. */
export async function waitForExit(
  context: RuntimeContext,
  id: string,
  directory: string,
  signal: AbortSignal,
  foreground?: Supervised,
): Promise<Exit> {
  if (foreground) return foregroundExit(context, directory, foreground)
  const record = recordOf(directory, id)
  const exit = readExit(directory)
  if (exit) return exit
  return record.life === 'monitored'
    ? monitoredExit(context, record, directory, signal)
    : detachedExit(context, record, directory)
}

async function foregroundExit(
  context: RuntimeContext,
  directory: string,
  foreground: Supervised,
): Promise<Exit> {
  const exit: Exit = { ...(await foreground.exit), oomKilled: false, finishedAtNs: nowNs(context) }
  writeExit(directory, exit)
  return exit
}

async function monitoredExit(
  context: RuntimeContext,
  record: ContainerRecord,
  directory: string,
  signal: AbortSignal,
): Promise<Exit> {
  const told = await awaitFrame(
    { directory, name: recordFiles.monitorSocket, type: frameType.exited },
    signal,
  ).catch((error: unknown) => {
    if (!isNobodyThere(error)) throw error
  })
  if (told && told.type !== 0) return exitOf(told.payload)
  signal.throwIfAborted() // it was us who hung up: that tells nothing about the monitor
  return readExit(directory) ?? monitorLost(context, record, directory)
}

/** Without its monitor nobody would ever learn of the exit, so the container ends with it. */
async function monitorLost(
  context: RuntimeContext,
  record: ContainerRecord,
  directory: string,
): Promise<Exit> {
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
): Promise<Exit> {
  using process = record.process && openProcess(record.process, record.bootId, { zombie: true })
  const ended = process && (await pidfdWait(process.fd))
  const exit: Exit = {
    exitCode: ended?.code ?? 255,
    ...(ended && ended.signal > 0 ? { signal: ended.signal } : {}),
    oomKilled: false,
    finishedAtNs: nowNs(context),
    ...(ended ? {} : { reason: 'NotOurChild' }),
  }
  if (ended) writeExit(directory, exit)
  return exit
}

function nowNs({ clock }: RuntimeContext): bigint {
  return BigInt(Math.round(clock.nowMs() * 1000)) * 1000n
}
