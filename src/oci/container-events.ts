import { closeSync, constants, openSync, readSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Cleanup, hasErrno, KeelsonError } from '../base/index.ts'
import { makeEventFd, nextEvent, pidfdWait } from '../kernel/index.ts'
import { layoutAsMade } from './cgroup/path.ts'
import { oomFileOf } from './cgroup/plan.ts'
import { readStats } from './cgroup/read-stats.ts'
import type { ContainerStats } from './cgroup/stats.ts'
import type { RuntimeContext } from './context.ts'
import type { ContainerEvent } from './runtime.ts'
import { requireAlive } from './state/lifecycle.ts'
import { type Observed, observe } from './state/observe.ts'
import { openProcess } from './state/open-process.ts'

export async function containerStats(
  { layout }: RuntimeContext,
  id: string,
  { record, status }: Observed,
): Promise<ContainerStats> {
  requireAlive(status, 'read the statistics of', id)
  if (record.cgroup) return readStats(layoutAsMade(layout, record.cgroup), record.cgroup.path)
  throw new KeelsonError('FAILED_PRECONDITION', `container ${id} has no cgroup, so nothing is counted`, {
    id,
  })
}

/**
 * Statistics at every interval, and each time that the OOM killer strikes, until the container stops or the signal
 * says so. Out-of-memory is learned by an event of the kernel: v1 adds to an eventfd that was registered for
 * memory.oom_control, a v2 memory.events says POLLPRI. Neither takes an inotify instance, of which a machine has few.
 */
export async function* containerEvents(
  context: RuntimeContext,
  id: string,
  directory: string,
  intervalMs: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<ContainerEvent, void, undefined> {
  const { record, status } = observe(directory, id)
  requireAlive(status, 'watch', id)
  await using open = new Cleanup()
  const process = record.process && openProcess(record.process, record.bootId)
  if (!process || !record.cgroup) return
  const { path } = record.cgroup
  const layout = layoutAsMade(context.layout, record.cgroup)
  const stop = new AbortController()
  const end = () => stop.abort()
  signal?.addEventListener('abort', end, { once: true })
  open.defer(() => {
    signal?.removeEventListener('abort', end)
    end()
  })
  if (signal?.aborted) return
  const exited = pidfdWait(process.fd).then(() => process[Symbol.dispose]())
  void exited.then(end)
  const oom = watchOom(oomFileOf(layout, path), open)
  let tick = nextTick(context, intervalMs, stop.signal)
  let struck = oom.next(stop.signal)
  for (;;) {
    const first = await Promise.race([tick.then(() => 'tick'), struck.then((yes) => (yes ? 'oom' : 'end'))])
    if (stop.signal.aborted) break
    if (first === 'oom') {
      yield { type: 'oom' }
      struck = oom.next(stop.signal)
    } else if (first === 'tick') {
      yield { type: 'stats', stats: await readStats(layout, path) }
      tick = nextTick(context, intervalMs, stop.signal)
    } else struck = new Promise(() => {}) // this host has no such event
  }
  // The killer may have ended the very process that ended all this.
  if (!signal?.aborted && oom.struckSince()) yield { type: 'oom' }
}

async function nextTick({ clock }: RuntimeContext, intervalMs: number, signal: AbortSignal): Promise<void> {
  await clock.sleep(intervalMs, signal).catch(() => undefined)
}

interface OomWatch {
  /** True at the next strike; false when there is nothing to wait for, or the signal came. */
  next(signal: AbortSignal): Promise<boolean>
  /** Whether it struck since the last `next` came true. */
  struckSince(): boolean
}

function watchOom(file: string | undefined, open: Cleanup): OomWatch {
  if (file === undefined) return { next: async () => false, struckSince: () => false }
  try {
    return file.endsWith('oom_control') ? watchV1(file, open) : watchV2(file, open)
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'EACCES', 'EPERM', 'EINVAL', 'ENODEV'))
      return { next: async () => false, struckSince: () => false }
    throw error
  }
}

function watchV1(file: string, open: Cleanup): OomWatch {
  const counter = makeEventFd()
  open.defer(() => closeSync(counter))
  const control = openSync(file, 'r')
  open.defer(() => closeSync(control))
  writeFileSync(join(dirname(file), 'cgroup.event_control'), `${counter} ${control}`, {
    flag: constants.O_WRONLY as unknown as string,
  })
  const taken = () => {
    try {
      return readSync(counter, Buffer.alloc(8)) > 0
    } catch (error) {
      if (hasErrno(error, 'EAGAIN')) return false
      throw error
    }
  }
  return {
    next: async (signal) => (await nextEvent(counter, 'readable', signal)) && taken(),
    struckSince: taken,
  }
}

/** The kernel tells of a change since the last read, of any line: what counts is the number of kills. */
function watchV2(file: string, open: Cleanup): OomWatch {
  const events = openSync(file, 'r')
  open.defer(() => closeSync(events))
  let known = readKills(events)
  const struck = () => {
    const now = readKills(events)
    const more = now > known
    known = now
    return more
  }
  return {
    async next(signal) {
      while (await nextEvent(events, 'change', signal)) if (struck()) return true
      return false
    },
    struckSince: struck,
  }
}

function readKills(fd: number): number {
  const buffer = Buffer.alloc(512)
  try {
    const text = buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, 0))
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0)
  } catch (error) {
    if (hasErrno(error, 'ENODEV', 'ENOENT')) return 0
    throw error
  }
}
