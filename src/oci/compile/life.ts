import { posix } from 'node:path'
import { monitorFlags, OPEN, writeFlags } from '../plan/constants.ts'
import { noFd, type Operation } from '../plan/operations.ts'
import type { Slots } from '../plan/slots.ts'
import type { DetachedLife, ForegroundLife, MonitoredLife } from '../runtime.ts'
import type { CompileRequest } from './request.ts'

/**
 * What a container's lives add to the parent's list, at their places in it. What the child does not need is made
 * after the clone, while the child mounts.
 */
export interface LifePlan {
  /** What must be there before anything is made. */
  first: Operation[]
  beforeClone: Operation[]
  afterClone: Operation[]
  last: Operation[]
  stdio: readonly [number, number, number]
  preserved: readonly number[]
  listener: number
}

export function compileLife(request: CompileRequest, slots: Slots, directory: number): LifePlan {
  return request.life.kind === 'monitored'
    ? monitored(request, request.life, slots, directory)
    : unmonitored(request, request.life, slots, directory)
}

function monitored(request: CompileRequest, life: MonitoredLife, slots: Slots, directory: number): LifePlan {
  const terminal = request.spec.process?.terminal === true
  const listener = slots.allocate()
  const monitorSocket = slots.allocate()
  const log = life.logPath === undefined ? undefined : slots.allocate()
  const oom = request.cgroup?.oomFile === undefined ? undefined : slots.allocate()
  const pipes = terminal ? undefined : makePipes(slots, life.stdin === true)
  const master = terminal ? slots.allocate() : noFd
  return {
    first: [],
    beforeClone: [...listen(directory, listener, 'start.sock'), ...(pipes?.make ?? [])],
    afterClone: [
      { op: 'closeSlot', slot: listener },
      ...(pipes?.closeTheirs ?? []),
      ...listen(directory, monitorSocket, 'monitor.sock'),
      ...(log === undefined ? [] : [{ op: 'openLogFile', path: life.logPath ?? '', to: log } as const]),
      ...open(oom ?? noFd, request.cgroup?.oomFile, OPEN.RDONLY),
      ...emptyAtEnd(request, slots),
      ...(terminal ? [{ op: 'receiveTerminal', to: master } as const] : []),
    ],
    last: [
      // The container did not inherit it: it was cloned before. Lowering is not for everybody, hence no failure.
      {
        op: 'writeFile',
        path: '/proc/self/oom_score_adj',
        data: Buffer.from('-998'),
        flags: writeFlags.skip,
      },
      {
        op: 'monitor',
        directory,
        listener: monitorSocket,
        stdin: pipes?.stdin ?? noFd,
        stdout: pipes?.stdout ?? noFd,
        stderr: pipes?.stderr ?? noFd,
        terminal: master,
        oomFile: oom ?? noFd,
        log: log ?? noFd,
        logPath: life.logPath ?? '',
        flags: life.stdinOnce ? monitorFlags.stdinOnce : 0,
      },
    ],
    stdio: pipes?.theirs ?? [noFd, noFd, noFd],
    preserved: [],
    listener,
  }
}

/** The caller's descriptors go straight to the container. In the foreground keelson-init waits for its end. */
function unmonitored(
  request: CompileRequest,
  life: DetachedLife | ForegroundLife,
  slots: Slots,
  directory: number,
): LifePlan {
  const terminal = request.spec.process?.terminal === true
  const stdio = (life.stdio ?? [0, 1, 2]).map((fd) => (terminal || request.holds ? noFd : slots.inherit(fd)))
  const preserved = Array.from({ length: life.preserveFds ?? 0 }, (_, index) => slots.inherit(3 + index))
  const listener = slots.allocate()
  const master = terminal ? slots.allocate() : noFd
  const consolePath = terminal && life.kind === 'detached' ? life.consoleSocket : undefined
  const console = consolePath === undefined ? noFd : slots.allocate()
  const [stdin = noFd, stdout = noFd, stderr = noFd] = stdio
  return {
    // Nothing is made for a console that nobody listens for.
    first: consolePath === undefined ? [] : [{ op: 'connect', path: consolePath, to: console }],
    beforeClone: [
      ...(life.kind === 'foreground' && life.subreaper !== false ? [{ op: 'becomeSubreaper' } as const] : []),
      ...listen(directory, listener, 'start.sock'),
    ],
    afterClone: [{ op: 'closeSlot', slot: listener }, ...(terminal ? receiveAndSend(master, console) : [])],
    last:
      life.kind === 'detached'
        ? [{ op: 'leave' }]
        : [{ op: 'reportStarted' }, { op: 'supervise', orphanSignal: 9 }],
    stdio: [stdin, stdout, stderr],
    preserved,
    listener,
  }
}

/** Without a socket: back to the starter. */
function receiveAndSend(terminal: number, socket: number): Operation[] {
  return [
    { op: 'receiveTerminal', to: terminal },
    { op: 'sendTerminal', terminal, socket },
  ]
}

/** The end of a pid namespace's first process ends all of it; where the namespace is another's we have to. */
function emptyAtEnd({ spec, namespaceFds, cgroup }: CompileRequest, slots: Slots): Operation[] {
  const isOwn = spec.linux?.namespaces?.some(({ type, path }) => type === 'pid' && !path) && !namespaceFds.pid
  if (isOwn || cgroup?.v2Directory === undefined) return []
  const kill = slots.allocate()
  const path = posix.join(cgroup.v2Directory, 'cgroup.kill')
  return [
    { op: 'openPath', path, flags: OPEN.WRONLY, to: kill },
    { op: 'emptyAtEnd', kill },
  ]
}

function listen(directory: number, to: number, name: string): Operation[] {
  return [{ op: 'listen', directory, name, to }]
}

function open(to: number, path: string | undefined, flags: number): Operation[] {
  return path === undefined || to === noFd ? [] : [{ op: 'openPath', path, flags, to }]
}

function makePipes(slots: Slots, withStdin: boolean) {
  const pair = () => ({ read: slots.allocate(), write: slots.allocate() })
  const stdout = pair()
  const stderr = pair()
  const stdin = withStdin ? pair() : undefined
  const pairs = [stdout, stderr, ...(stdin ? [stdin] : [])]
  const theirs: [number, number, number] = [stdin?.read ?? noFd, stdout.write, stderr.write]
  return {
    make: pairs.map(({ read, write }): Operation => ({ op: 'makePipe', read, write })),
    closeTheirs: theirs.filter((slot) => slot !== noFd).map((slot): Operation => ({ op: 'closeSlot', slot })),
    theirs,
    stdin: stdin?.write ?? noFd,
    stdout: stdout.read,
    stderr: stderr.read,
  }
}
