import { barriers, noFd, type Operation } from '../plan/operations.ts'
import type { Linux } from '../spec.ts'
import type { NamespacePlan } from './namespaces.ts'

export interface NetworkDevices {
  /** The child, once it is in its network namespace. */
  ready: Operation[]
  /** The parent, after the clone: the devices are its. */
  move: Operation[]
  /** The child, before it sets anything of its network, and before it waits for hooks: barriers keep their order. */
  await: Operation[]
}

/**
 * `linux.netDevices`: devices of the runtime's network namespace move into the container's. The parent does it, since
 * the child has left the namespace where they are, and in a user namespace has no right to them either.
 */
export function compileNetworkDevices(linux: Linux | undefined, namespaces: NamespacePlan): NetworkDevices {
  const devices = Object.entries(linux?.netDevices ?? {})
  if (devices.length === 0) return { ready: [], move: [], await: [] }
  return {
    ready: [{ op: 'signal', barrier: barriers.networked }],
    move: [
      { op: 'await', barrier: barriers.networked },
      ...devices.map(
        ([name, { name: newName = '' }]): Operation => ({
          op: 'moveDevice',
          namespace: namespaces.joinedNetwork ?? noFd,
          name,
          newName,
        }),
      ),
      { op: 'signal', barrier: barriers.equipped },
    ],
    await: [{ op: 'await', barrier: barriers.equipped }],
  }
}
