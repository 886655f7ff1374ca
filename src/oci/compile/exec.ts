import type { HostFacts } from '../host-facts.ts'
import { enrolChild, type RdtPlace, tasksOf } from '../intel-rdt.ts'
import type { LandlockPolicy } from '../landlock.ts'
import { CLONE, O_DIRECTORY, O_PATH, OPEN } from '../plan/constants.ts'
import { barriers, noFd, type Operation } from '../plan/operations.ts'
import { Slots } from '../plan/slots.ts'
import type { NamespaceType } from '../runtime.ts'
import type { ContainerFilter } from '../seccomp/index.ts'
import type { Linux, Process } from '../spec.ts'
import { compileExecAffinity } from './attributes.ts'
import { type CompiledPlan, keyringName } from './create.ts'
import { compileKeyring } from './labels.ts'
import { namespaceFlags } from './namespaces.ts'
import { raisedLimits } from './on-behalf.ts'
import { compileProgram } from './program.ts'
import { compileFilter, type ListenerState } from './seccomp.ts'

export interface ExecCompileRequest {
  /** Of the container. */
  id: string
  process: Process
  linux: Linux | undefined
  /** The container's, which holds for what is executed in it too. */
  filter: ContainerFilter | undefined
  state: ListenerState
  landlock: LandlockPolicy | undefined
  host: HostFacts
  rdt: Pick<RdtPlace, 'groups'> | undefined
  keepSessionKeyring: boolean
  /** The container's first process. */
  pidfd: number
  /** The namespaces that the container has to itself. */
  namespaces: readonly NamespaceType[]
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
  /** Not only prepared: the program runs as soon as it can. */
  goes: boolean
}

const untilCommitted: readonly Operation[] = [
  { op: 'signal', barrier: barriers.joined },
  { op: 'await', barrier: barriers.committed },
]

const held: readonly Operation[] = [{ op: 'reportCreated' }, { op: 'awaitCommit' }]

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
  const pidfdSocket = pidfdReceiver(request.pidfdSocket, slots)
  const namespaces = namespacesToEnter(request.namespaces)
  const filter = compileFilter(request.filter, request.state, slots)
  const runsOn = isFreeToRun(request)
  const program = compileProgram({
    ...request,
    filter,
    stdio: [stdin, stdout, stderr],
    preserved,
    listener: noFd,
    isInit: false,
    wait: runsOn ? [] : untilCommitted,
  })
  const affinity = compileExecAffinity(process)
  const rdt = compileExecRdt(request.rdt, slots)
  const parent: Operation[] = [
    { op: 'undumpable' },
    ...affinity.initial,
    ...rdt.open,
    // In the container's user namespace there is no right to raise one any more.
    ...(request.namespaces.includes('user') ? raisedLimits(program) : []),
    ...tasks.map(({ path, slot }): Operation => ({ op: 'openPath', path, flags: OPEN.WRONLY, to: slot })),
    ...(request.v2Directory === undefined
      ? []
      : [{ op: 'openPath', path: request.v2Directory, flags: O_PATH | O_DIRECTORY, to: v2 } as const]),
    // While paths are still the host's.
    ...filter.connect,
    ...terminalSocket.connect,
    ...pidfdSocket.connect,
    { op: 'enterProcess', pidfd, namespaces },
    { op: 'clone', flags: 0n, cgroup: v2 },
    ...rdt.enrol,
    ...filter.tell,
    ...(process.terminal
      ? [
          { op: 'receiveTerminal', to: master } as const,
          { op: 'sendTerminal', terminal: master, socket: terminalSocket.slot } as const,
        ]
      : []),
    ...(runsOn ? [] : [{ op: 'await', barrier: barriers.joined } as const]),
    ...pidfdSocket.send,
    ...(request.goes ? [] : held),
    ...(runsOn ? [] : [{ op: 'signal', barrier: barriers.committed } as const]),
    { op: 'reportStarted' },
    request.detached ? { op: 'leave' } : { op: 'supervise', orphanSignal: request.orphanSignal },
  ]
  const child: Operation[] = [
    ...tasks.map(({ path, slot }): Operation => ({ op: 'joinCgroup', tasks: slot, path })),
    ...(request.namespaces.includes('cgroup')
      ? [{ op: 'joinNamespace', namespace: pidfd, type: CLONE.NEWCGROUP } as const]
      : []),
    ...affinity.final,
    ...rdt.await,
    { op: 'newSession' },
    ...(request.keepSessionKeyring ? [] : compileKeyring(keyringName(request.id), process, request.host)),
    ...program,
  ]
  return { plan: { parent, child }, inherited: slots.inherited }
}

/** Nothing is to be done between the last step of the process and its program: neither half waits for the other. */
function isFreeToRun({ goes, process, pidfdSocket, rdt, filter }: ExecCompileRequest): boolean {
  return goes && !process.terminal && !pidfdSocket && !rdt && !filter?.listener
}

function pidfdReceiver(path: string | undefined, slots: Slots): { connect: Operation[]; send: Operation[] } {
  const { slot: socket, connect } = connection(path, slots)
  return { connect, send: path ? [{ op: 'sendPidfd', socket, message: 'setns' }] : [] }
}

function connection(path: string | undefined, slots: Slots): { slot: number; connect: Operation[] } {
  if (!path) return { slot: noFd, connect: [] }
  const slot = slots.allocate()
  return { slot, connect: [{ op: 'connect', path, to: slot }] }
}

/**
 * All at once: the kernel then asks for the rights over each before the first is entered. The cgroup namespace comes
 * later (see above). What the container has from the host is left out where somebody without rights over the host
 * execs; otherwise the process may have been moved since, so it is followed.
 */
function namespacesToEnter(own: readonly NamespaceType[]): bigint {
  const always: readonly NamespaceType[] = own.includes('user')
    ? []
    : ['mount', 'pid', 'network', 'ipc', 'uts']
  return [...new Set([...always, ...own])]
    .filter((type) => type !== 'cgroup')
    .reduce((flags, type) => flags | namespaceFlags[type], 0n)
}

/** Opened while their paths mean the host's; the program does not run before it is a member. */
function compileExecRdt(rdt: Pick<RdtPlace, 'groups'> | undefined, slots: Slots) {
  if (!rdt) return { open: [], enrol: [], await: [] }
  const files = rdt.groups.map(tasksOf).map((path) => ({ path, slot: slots.allocate() }))
  const barrier = barriers.equipped
  return {
    open: files.map(({ path, slot }): Operation => ({ op: 'openPath', path, flags: OPEN.WRONLY, to: slot })),
    enrol: [
      ...enrolChild(
        rdt,
        files.map(({ slot }) => slot),
      ),
      { op: 'signal', barrier } as const,
    ],
    await: [{ op: 'await', barrier } as const],
  }
}
