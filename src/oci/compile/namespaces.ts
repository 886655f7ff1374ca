import type { Operation } from '../plan/operations.ts'
import type { Slots } from '../plan/slots.ts'
import type { NamespaceType } from '../runtime.ts'
import type { Namespace } from '../spec.ts'
import { CLONE } from './constants.ts'
import { unsupported } from './unsupported.ts'

const cloneFlags: Partial<Record<NamespaceType, bigint>> = {
  pid: CLONE.NEWPID,
  network: CLONE.NEWNET,
  ipc: CLONE.NEWIPC,
  uts: CLONE.NEWUTS,
  mount: CLONE.NEWNS,
  cgroup: CLONE.NEWCGROUP,
}

export interface NamespacePlan {
  /** For the one clone. */
  cloneFlags: bigint
  /** Before the clone: a pid namespace is entered by children only. */
  parent: Operation[]
  /** At the child's start. */
  child: Operation[]
  /** After the child joined its cgroups, so that they are the root of its view. */
  unshareCgroup: boolean
  /**
   * By the child, at its start. The dearest of the namespaces (0.4 ms of 0.8): it is made while the parent makes the
   * v1 cgroups instead of inside the clone, for which both would wait.
   */
  unshareNetwork: boolean
  has(type: NamespaceType): boolean
}

/** `fds` holds the namespaces to join, also those that the specification gave as paths. */
export function compileNamespaces(
  namespaces: readonly Namespace[],
  fds: Partial<Record<NamespaceType, number>>,
  slots: Slots,
): NamespacePlan {
  const result: NamespacePlan = {
    cloneFlags: 0n,
    parent: [],
    child: [],
    unshareCgroup: false,
    unshareNetwork: false,
    has: (type) => namespaces.some((one) => one.type === type),
  }
  if (!result.has('mount'))
    throw unsupported('a container without a mount namespace of its own', 'linux.namespaces')
  namespaces.forEach(({ type }, index) => {
    const flag = cloneFlags[type as NamespaceType]
    if (flag === undefined) throw unsupported(`namespace type ${type}`, `linux.namespaces[${index}].type`)
    const fd = fds[type as NamespaceType]
    if (fd !== undefined) join(result, type as NamespaceType, slots.inherit(fd), flag)
    else if (type === 'cgroup') result.unshareCgroup = true
    else if (type === 'network') result.unshareNetwork = true
    else result.cloneFlags |= flag
  })
  return result
}

function join(plan: NamespacePlan, type: NamespaceType, namespace: number, flag: bigint): void {
  if (type === 'mount') throw unsupported('joining a mount namespace', 'linux.namespaces')
  const list = type === 'pid' ? plan.parent : plan.child
  list.push({ op: 'joinNamespace', namespace, type: flag })
}
