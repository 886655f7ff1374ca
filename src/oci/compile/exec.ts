import { barriers, noFd, type Operation } from '../plan/operations.ts'
import { Slots } from '../plan/slots.ts'
import type { Process, Seccomp } from '../spec.ts'
import { CLONE, O_DIRECTORY, O_PATH, OPEN } from './constants.ts'
import type { CompiledPlan } from './create.ts'
import { compileProgram } from './program.ts'

export interface ExecCompileRequest {
  process: Process
  seccomp: Seccomp | undefined
  /** The container's first process. */
  pidfd: number
  /** Has a cgroup namespace of its own. */
  cgroupNamespace: boolean
  tasksFiles: readonly string[]
  v2Directory: string | undefined
  /** Descriptors for 0, 1, 2; undefined is /dev/null. */
  stdio: readonly [number | undefined, number | undefined, number | undefined]
  fileLimit: { soft: bigint; hard: bigint }
  preserveFds: number
  detached: { consoleSocket?: string } | undefined
  pidfdSocket?: string | undefined
  /** Sent to the program when the process that asked for it is gone. */
  orphanSignal: number
}

/**
 * The plan of an exec. The cgroup files and the console socket are opened before the mount namespace is entered,
 * while their paths mean the host's; the child joins, since only children enter a pid namespace; the cgroup
 * namespace comes after that, or the group would lie outside of the child's view.
 */
export function compileExec(request: ExecCompileRequest): CompiledPlan {
  const { process } = request
  const slots = new Slots()
  const pidfd = slots.inherit(request.pidfd)
  const [stdin = noFd, stdout = noFd, stderr = noFd] = request.stdio.map((fd) =>
    fd === undefined || process.terminal ? noFd : slots.inherit(fd),
  )
  const preserved = Array.from({ length: request.preserveFds }, (_, index) => slots.inherit(3 + index))
  const tasks = request.tasksFiles.map((path) => ({ path, slot: slots.allocate() }))
  const v2 = request.v2Directory === undefined ? noFd : slots.allocate()
  const master = process.terminal ? slots.allocate() : noFd
  const terminalSocket = connection(process.terminal ? request.detached?.consoleSocket : undefined, slots)
  const pidfdSocket = connection(request.pidfdSocket, slots)
  const namespaces = CLONE.NEWNS | CLONE.NEWPID | CLONE.NEWNET | CLONE.NEWIPC | CLONE.NEWUTS
  const parent: Operation[] = [
    { op: 'undumpable' },
    ...tasks.map(({ path, slot }): Operation => ({ op: 'openPath', path, flags: OPEN.WRONLY, to: slot })),
    ...(request.v2Directory === undefined
      ? []
      : [{ op: 'openPath', path: request.v2Directory, flags: O_PATH | O_DIRECTORY, to: v2 } as const]),
    // While paths are still the host's.
    ...terminalSocket.connect,
    ...pidfdSocket.connect,
    { op: 'enterProcess', pidfd, namespaces },
    { op: 'clone', flags: 0n, cgroup: v2 },
    ...(process.terminal
      ? [
          { op: 'receiveTerminal', to: master } as const,
          { op: 'sendTerminal', terminal: master, socket: terminalSocket.slot } as const,
        ]
      : []),
    { op: 'await', barrier: barriers.joined },
    ...(request.pidfdSocket
      ? [{ op: 'sendPidfd', socket: pidfdSocket.slot, message: 'setns' } as const]
      : []),
    { op: 'reportCreated' },
    { op: 'awaitCommit' },
    { op: 'signal', barrier: barriers.committed },
    { op: 'reportStarted' },
    request.detached ? { op: 'leave' } : { op: 'supervise', orphanSignal: request.orphanSignal },
  ]
  const child: Operation[] = [
    ...tasks.map(({ path, slot }): Operation => ({ op: 'joinCgroup', tasks: slot, path })),
    ...(request.cgroupNamespace
      ? [{ op: 'joinNamespace', namespace: pidfd, type: CLONE.NEWCGROUP } as const]
      : []),
    { op: 'newSession' },
    ...compileProgram({
      process,
      seccomp: request.seccomp,
      stdio: [stdin, stdout, stderr],
      preserved,
      listener: noFd,
      isInit: false,
      fileLimit: request.fileLimit,
      wait: [
        { op: 'signal', barrier: barriers.joined },
        { op: 'await', barrier: barriers.committed },
      ],
    }),
  ]
  return { plan: { parent, child }, inherited: slots.inherited }
}

function connection(path: string | undefined, slots: Slots): { slot: number; connect: Operation[] } {
  if (!path) return { slot: noFd, connect: [] }
  const slot = slots.allocate()
  return { slot, connect: [{ op: 'connect', path, to: slot }] }
}
