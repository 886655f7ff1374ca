import type { Operation } from '../plan/operations.ts'
import type { Slots } from '../plan/slots.ts'
import type { ContainerFilter, Listener } from '../seccomp/index.ts'

/** What a filter adds to a plan, at its places in it. */
export interface FilterPlan {
  /** The parent's, before the clone: a listener that is not there fails everything before anything is made. */
  connect: Operation[]
  /** The parent's, when the child waits for it (or will): what only the parent knows. */
  tell: Operation[]
  /** The child's, before its descriptors are sorted out. */
  learn: Operation[]
  /** Slots that the child needs until then. */
  later: number[]
  /** The child's, as late as can be. */
  load: Operation[]
}

/** The container as the listener is told of it. */
export interface ListenerState {
  ociVersion: string
  id: string
  status: 'created' | 'running'
  bundle: string
  annotations: Record<string, string>
}

export function compileFilter(
  filter: ContainerFilter | undefined,
  state: ListenerState,
  slots: Slots,
): FilterPlan {
  if (!filter) return { connect: [], tell: [], learn: [], later: [], load: [] }
  const { program, flags, listener } = filter
  if (!listener)
    return { connect: [], tell: [], learn: [], later: [], load: [{ op: 'loadSeccomp', program, flags }] }
  const agent = slots.allocate()
  return {
    connect: [{ op: 'connect', path: listener.path, to: agent }],
    tell: [{ op: 'closeSlot', slot: agent }, { op: 'tellProcess' }],
    learn: [{ op: 'learnProcess' }],
    later: [agent],
    load: [{ op: 'loadSeccompListener', program, flags, agent, message: messageOf(listener, state) }],
  }
}

/**
 * The "container process state" (config-linux.md "Seccomp") as the pieces between which the process id belongs, which
 * is known only when the process is there. Text is escaped by JSON, so that the mark cannot be in it.
 */
function messageOf(
  { metadata }: Listener,
  { ociVersion, id, status, bundle, annotations }: ListenerState,
): string[] {
  const mark = '\0'
  const message = {
    ociVersion,
    fds: ['seccompFd'],
    pid: mark,
    ...(metadata === undefined ? {} : { metadata }),
    state: { ociVersion, id, status, pid: mark, bundle, annotations },
  }
  return JSON.stringify(message).split(JSON.stringify(mark))
}
