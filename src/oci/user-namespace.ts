import { KeelsonError } from '../base/index.ts'
import { checkIdMappings, hostIdOf } from './id-mappings.ts'
import type { IdRange, Privileges } from './privileges.ts'
import type { IdMapping, Linux, Spec } from './spec.ts'

/**
 * Completes what a specification leaves open about its user namespace. An ordinary user gets one also where none is
 * named, and maps where none are given, as under crun: container root is the user itself, the ids above come from
 * /etc/subuid. Without newuidmap there is one id: the program's. Pure; the same specification when nothing is open.
 */
export function completeUserNamespace(spec: Spec, privileges: Privileges, joins: boolean): Spec {
  const { linux = {} } = spec
  const named = linux.namespaces?.find(({ type }) => type === 'user')
  if (!named && (privileges.uid === 0 || joins)) return spec
  const namespaces = named ? linux.namespaces : [...(linux.namespaces ?? []), { type: 'user' }]
  const complete = { ...linux, ...(namespaces ? { namespaces } : {}) }
  if (joins || named?.path) return { ...spec, linux: complete }
  const { uidMappings, gidMappings } = maps(linux, privileges, spec)
  checkUser(spec, { uidMappings, gidMappings }, privileges)
  return { ...spec, linux: { ...complete, uidMappings, gidMappings } }
}

interface Maps {
  uidMappings: IdMapping[]
  gidMappings: IdMapping[]
}

function maps(linux: Linux, privileges: Privileges, spec: Spec): Maps {
  const { uidMappings = [], gidMappings = [] } = linux
  checkIdMappings(uidMappings, 'linux.uidMappings')
  checkIdMappings(gidMappings, 'linux.gidMappings')
  if (uidMappings.length > 0 && gidMappings.length > 0) return { uidMappings, gidMappings }
  if (privileges.uid === 0) {
    const path = uidMappings.length === 0 ? 'linux.uidMappings' : 'linux.gidMappings'
    throw new KeelsonError('INVALID_ARGUMENT', `${path}: a new user namespace needs mappings`, {
      path,
      hint: 'add uidMappings and gidMappings',
    })
  }
  const { uid, gid, subordinateUids, subordinateGids } = privileges
  const canMap = privileges.mapPrograms && subordinateUids.length > 0 && subordinateGids.length > 0
  const automatic = (own: number, ranges: readonly IdRange[], id: number | undefined) =>
    canMap ? ownAndSubordinate(own, ranges) : [{ containerID: id ?? 0, hostID: own, size: 1 }]
  const { user } = spec.process ?? {}
  return {
    uidMappings: uidMappings.length > 0 ? uidMappings : automatic(uid, subordinateUids, user?.uid),
    gidMappings: gidMappings.length > 0 ? gidMappings : automatic(gid, subordinateGids, user?.gid),
  }
}

/** Container root is the user; ids from 1 are its ranges one after the other. */
function ownAndSubordinate(own: number, ranges: readonly IdRange[]): IdMapping[] {
  let next = 1
  const above = ranges.map(({ start, count }) => {
    const mapping = { containerID: next, hostID: start, size: count }
    next += count
    return mapping
  })
  return [{ containerID: 0, hostID: own, size: 1 }, ...above]
}

/** An id that is not mapped does not exist in the container; the kernel's EINVAL would not say which one it was. */
function checkUser({ process }: Spec, { uidMappings, gidMappings }: Maps, privileges: Privileges): void {
  const { uid = 0, gid = 0, additionalGids = [] } = process?.user ?? {}
  const denied = howToMap({ uidMappings, gidMappings }, privileges) === 'single'
  if (denied && additionalGids.length > 0)
    throw new KeelsonError('INVALID_ARGUMENT', 'additional groups cannot be set with a single mapped id', {
      path: 'process.user.additionalGids',
      hint: 'leave them out, or map more ids (needs newuidmap and /etc/subgid)',
    })
  const ids: [string, number, IdMapping[]][] = [
    ['uid', uid, uidMappings],
    ['gid', gid, gidMappings],
    ...additionalGids.map((id, index): [string, number, IdMapping[]] => [
      `additionalGids[${index}]`,
      id,
      gidMappings,
    ]),
  ]
  for (const [name, id, mappings] of ids)
    if (hostIdOf(mappings, id) === undefined)
      throw new KeelsonError('INVALID_ARGUMENT', `process.user.${name}: ${id} is not mapped`, {
        path: `process.user.${name}`,
        hint: `add it to linux.${mappings === uidMappings ? 'uid' : 'gid'}Mappings`,
      })
}

/**
 * Who writes the maps. `direct`: we may map what we like. `single`: anybody may map its own id, once setgroups is
 * denied. `programs`: newuidmap and newgidmap, which look into /etc/subuid. FAILED_PRECONDITION without them.
 */
export function howToMap(
  { uidMappings, gidMappings }: Maps,
  { uid, gid, mapPrograms }: Privileges,
): 'direct' | 'single' | 'programs' {
  if (uid === 0) return 'direct'
  if (isOwnOnly(uidMappings, uid) && isOwnOnly(gidMappings, gid)) return 'single'
  if (mapPrograms) return 'programs'
  throw new KeelsonError('FAILED_PRECONDITION', 'more than one’s own id can only be mapped by newuidmap', {
    path: 'linux.uidMappings',
    hint: 'install the package uidmap (shadow-utils), or map just your own uid and gid',
  })
}

function isOwnOnly(mappings: readonly IdMapping[], own: number): boolean {
  const [first] = mappings
  return mappings.length === 1 && first?.size === 1 && first.hostID === own
}
