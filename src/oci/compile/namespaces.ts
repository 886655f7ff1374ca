import { idMapArguments, idMapText } from '../id-mappings.ts'
import { CLONE, mapFlags, OPEN } from '../plan/constants.ts'
import { barriers, type Operation } from '../plan/operations.ts'
import type { Slots } from '../plan/slots.ts'
import type { NamespaceType } from '../runtime.ts'
import type { Linux, Process } from '../spec.ts'
import { howToMap } from '../user-namespace.ts'
import type { CompileRequest } from './request.ts'
import { unsupported } from './unsupported.ts'

/** runtime-spec's name → the kernel's flag. */
export const namespaceFlags: Readonly<Record<NamespaceType, bigint>> = {
  user: CLONE.NEWUSER,
  pid: CLONE.NEWPID,
  network: CLONE.NEWNET,
  ipc: CLONE.NEWIPC,
  uts: CLONE.NEWUTS,
  mount: CLONE.NEWNS,
  cgroup: CLONE.NEWCGROUP,
  time: CLONE.NEWTIME,
}

export interface NamespacePlan {
  /** Before the clone. */
  parent: Operation[]
  /** Into a v2 cgroup's open directory, or `noFd`. */
  clone(cgroup: number): Operation
  /** Right after the clone. */
  afterClone: Operation[]
  /** At the child's start. */
  child: Operation[]
  /** After the child joined its cgroups, so that they are the root of its view. */
  unshareCgroup: boolean
  /**
   * By the child, at its start. The dearest of the namespaces (0.4 ms of 0.8): it is made while the parent makes the
   * v1 cgroups instead of inside the clone, for which both would wait.
   */
  unshareNetwork: boolean
  /** A mount namespace that is there already: the root file system is its own, and nothing is mounted. */
  joinsMount: boolean
  user: 'none' | 'new' | 'joined'
  /** Slot of the user namespace that is joined. */
  joinedUser?: number
  /** Slot of a network namespace that is joined. */
  joinedNetwork?: number
  has(type: NamespaceType): boolean
  /** Has, and it is new. */
  makes(type: NamespaceType): boolean
}

interface Join {
  type: NamespaceType
  slot: number
}

/**
 * One clone makes what is new; the kernel makes a user namespace first and the others inside it. What is joined is
 * joined by the child, without a user namespace: then nobody's rights change on the way. With one, either side of it
 * may own what is to be joined, so a process in between tries both sides (native/init/user-namespace.c).
 */
export function compileNamespaces(request: CompileRequest, slots: Slots): NamespacePlan {
  const { linux = {} } = request.spec
  const types = (linux.namespaces ?? []).map(({ type }) => type as NamespaceType)
  const joins = types.flatMap((type): Join[] => {
    const fd = request.namespaceFds[type]
    return fd === undefined ? [] : [{ type, slot: slots.inherit(fd) }]
  })
  const joined = (type: NamespaceType) => joins.find((one) => one.type === type)
  const made = types.filter((type) => !joined(type))
  const user = joined('user') ? 'joined' : made.includes('user') ? 'new' : 'none'
  if (!types.includes('mount'))
    throw unsupported('a container without a mount namespace of its own', 'linux.namespaces')
  const time = made.includes('time') ? timeNamespace(request, slots, user) : undefined
  const owner = user === 'none' ? undefined : userNamespace(request, user)
  const cloneFlags = made
    .filter((type) => type !== 'cgroup' && type !== 'time' && type !== 'network')
    .reduce((flags, type) => flags | namespaceFlags[type], 0n)
  const through = user === 'none' ? [] : joins
  const plain = user === 'none' ? joins : []
  const joinedUser = joined('user')?.slot
  const joinedNetwork = joined('network')?.slot
  return {
    parent: [...plain.filter(({ type }) => type === 'pid').map(join), ...(time?.parent ?? [])],
    clone: (cgroup) =>
      through.length === 0
        ? { op: 'clone', flags: cloneFlags, cgroup }
        : { op: 'cloneThrough', flags: cloneFlags, cgroup, joins: joinWords(through) },
    afterClone: [...(time?.afterClone ?? []), ...(owner?.parent ?? [])],
    child: [
      ...(owner?.child ?? []),
      // Whoever is in a pid namespace already may be hostile: until the program runs we cannot be traced.
      ...(joined('pid') ? [undumpable] : []),
      ...mountLast(plain.filter(({ type }) => type !== 'pid')).map(join),
      ...(time?.child ?? []),
      // And who is in the host's sees every pid namespace. Not before the offsets are written: they are then root's.
      ...(joined('pid') ? [] : [undumpable]),
    ],
    unshareCgroup: made.includes('cgroup'),
    unshareNetwork: made.includes('network'),
    joinsMount: joined('mount') !== undefined,
    user,
    ...(joinedUser === undefined ? {} : { joinedUser }),
    ...(joinedNetwork === undefined ? {} : { joinedNetwork }),
    has: (type) => types.includes(type),
    makes: (type) => made.includes(type),
  }
}

const undumpable: Operation = { op: 'undumpable' }

function join({ type, slot }: Join): Operation {
  return { op: 'joinNamespace', namespace: slot, type: namespaceFlags[type] }
}

/** It changes the root directory, which the others have nothing to do with. */
function mountLast(joins: readonly Join[]): Join[] {
  return [...joins].sort((a, b) => Number(a.type === 'mount') - Number(b.type === 'mount'))
}

function joinWords(joins: readonly Join[]): Uint8Array {
  const words = mountLast(joins).flatMap(({ type, slot }) => [slot, Number(namespaceFlags[type])])
  return new Uint8Array(Uint32Array.from(words).buffer)
}

interface Sides {
  parent: Operation[]
  child: Operation[]
}

/** Maps first, then everything that the container could not do itself, then the child goes on. */
function userNamespace(request: CompileRequest, user: 'new' | 'joined'): Sides {
  const { linux = {}, process } = request.spec
  const score = process?.oomScoreAdj
  const { uid, gid } = user === 'new' ? insideIds(linux, process) : { uid: 0, gid: 0 }
  return {
    parent: [
      ...(user === 'new' ? mapOperations(request, linux) : []),
      ...(score === undefined ? [] : [{ op: 'adjustChild', score: score >>> 0 } as const]),
      { op: 'signal', barrier: barriers.mapped },
    ],
    child: [
      { op: 'await', barrier: barriers.mapped },
      { op: 'takeIdentity', uid, gid },
    ],
  }
}

/** Root, or where nothing is root inside, the program's user: somebody who exists has to own what is made. */
function insideIds({ uidMappings = [], gidMappings = [] }: Linux, process: Process | undefined) {
  const hasRoot = (mappings: typeof uidMappings) => mappings.some(({ containerID }) => containerID === 0)
  return {
    uid: hasRoot(uidMappings) ? 0 : (process?.user?.uid ?? 0),
    gid: hasRoot(gidMappings) ? 0 : (process?.user?.gid ?? 0),
  }
}

/** How long newuidmap may take: it reads two files. */
const mapTimeoutMs = 10_000

function mapOperations({ privileges }: CompileRequest, linux: Linux): Operation[] {
  const { uidMappings = [], gidMappings = [] } = linux
  const how = howToMap({ uidMappings, gidMappings }, privileges)
  const programs = privileges.mapPrograms
  if (how === 'programs' && programs)
    return [
      {
        op: 'mapByProgram',
        path: programs.uids,
        args: idMapArguments(uidMappings),
        timeoutMs: mapTimeoutMs,
      },
      {
        op: 'mapByProgram',
        path: programs.gids,
        args: idMapArguments(gidMappings),
        timeoutMs: mapTimeoutMs,
      },
    ]
  return [
    {
      op: 'mapIdentities',
      uidMap: Buffer.from(idMapText(uidMappings)),
      gidMap: Buffer.from(idMapText(gidMappings)),
      flags: how === 'single' ? mapFlags.denySetgroups : 0,
    },
  ]
}

interface TimeSides extends Sides {
  afterClone: Operation[]
}

/**
 * Offsets can only be written while nobody is in the namespace, and unshare(2) puts nobody in: the next child is. So
 * keelson-init unshares, writes, clones and takes its own back. An ordinary user has the right only inside its user
 * namespace: there the first process does it, and enters by its exec (Linux 6.1).
 */
function timeNamespace(
  { spec, privileges }: CompileRequest,
  slots: Slots,
  user: NamespacePlan['user'],
): TimeSides {
  const offsets = Object.entries(spec.linux?.timeOffsets ?? {})
    .map(([clock, { secs = 0, nanosecs = 0 }]) => `${clock} ${secs} ${nanosecs}\n`)
    .join('')
  const make: Operation[] = [
    { op: 'unshare', flags: CLONE.NEWTIME },
    ...(offsets === ''
      ? []
      : [
          {
            op: 'writeFile',
            path: '/proc/self/timens_offsets',
            data: Buffer.from(offsets),
            flags: 0,
          } as const,
        ]),
  ]
  if (user !== 'none' && privileges.uid !== 0) return { parent: [], afterClone: [], child: make }
  const own = slots.allocate()
  return {
    parent: [{ op: 'openPath', path: '/proc/self/ns/time', flags: OPEN.RDONLY, to: own }, ...make],
    afterClone: [
      { op: 'joinNamespace', namespace: own, type: CLONE.NEWTIME },
      { op: 'closeSlot', slot: own },
    ],
    child: [],
  }
}
