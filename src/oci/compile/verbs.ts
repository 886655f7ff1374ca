import type { Operation, Plan } from '../plan/operations.ts'
import type { Spec } from '../spec.ts'
import { stateDocument, stateTemplate } from '../state/document.ts'
import { refusalText } from '../state/lifecycle.ts'
import type { DecidedRecord } from '../state/record.ts'

/** Numbers of native/front/front.h. */
export const verbNumbers = { start: 1, state: 2, kill: 3, delete: 4 } as const
export const statusBits = { creating: 1, created: 2, running: 4, paused: 8, stopped: 16 } as const

/** Fields whose meaning to the verbs below has been thought of: a new one does not compile until it has, too. */
const foreseen: Record<keyof DecidedRecord, true> = {
  version: true,
  id: true,
  ociVersion: true,
  life: true,
  bundle: true,
  rootfs: true,
  annotations: true,
  createdAtNs: true,
  bootId: true,
  cgroup: true,
  namespaces: true,
  notify: true,
  rdt: true,
  keepsKeyring: true,
}

/**
 * What later commands do to this container when everything is as foreseen, for the native front to carry out without
 * Node. It checks what is asked for here and hands all else on to the command itself, so a verb that may need more (a
 * hook, a monitor that must leave first, processes that the first one does not take along) is left out. What callers
 * often ask in vain (a kill of what has ended) it refuses by itself. Undefined
 * when none is left. Pure, as all compiling.
 */
export function compileVerbs(record: DecidedRecord, { hooks = {} }: Spec): Plan | undefined {
  if (record.life === 'monitored' || !Object.keys(record).every((key) => key in foreseen)) return undefined
  const { id, bootId, cgroup, namespaces, notify } = record
  const verb = (name: keyof typeof verbNumbers): Operation => ({ op: 'verb', verb: verbNumbers[name] })
  const refuse = (name: keyof typeof verbNumbers, status: keyof typeof statusBits): Operation => ({
    op: 'refuse',
    statuses: statusBits[status],
    message: refusalText(status, name, id),
  })
  const boot: Operation = { op: 'requireBoot', bootId }
  return {
    parent: [
      ...(hooks.poststart?.length || notify
        ? []
        : [
            verb('start'),
            boot,
            lock,
            refuse('start', 'stopped'),
            refuse('start', 'running'),
            allow('created'),
            { op: 'startProgram' } as const,
          ]),
      verb('state'),
      boot,
      allow('creating', 'created', 'running', 'paused', 'stopped'),
      ...printState(record),
      ...(namespaces.pid
        ? [
            verb('kill'),
            boot,
            refuse('kill', 'stopped'),
            allow('created', 'running'),
            { op: 'signalProcess' } as const,
          ]
        : []),
      ...(hooks.poststop?.length || record.rdt?.owned.length || cgroup?.systemd
        ? []
        : [verb('delete'), boot, lock, allow('stopped'), ...removeAll(cgroup?.leaves ?? [])]),
    ],
    child: [],
  }
}

const lock: Operation = { op: 'takeLock' }

function allow(...statuses: (keyof typeof statusBits)[]): Operation {
  return { op: 'requireStatus', statuses: statuses.reduce((bits, status) => bits | statusBits[status], 0) }
}

function removeAll(leaves: readonly string[]): Operation[] {
  return [...leaves.map((path): Operation => ({ op: 'removeGroup', path })), { op: 'removeState' }]
}

const holes = { pid: { op: 'printPid' }, status: { op: 'printStatus' } } as const

function printState(record: DecidedRecord): Operation[] {
  const document = stateDocument({
    ...record,
    status: 'created',
    pid: 0,
    createdAtNs: BigInt(record.createdAtNs),
  })
  return stateTemplate(document).map((piece) =>
    typeof piece === 'string' ? { op: 'print', text: piece } : holes[piece.hole],
  )
}
