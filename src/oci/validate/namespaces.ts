import type { IdMapping, Linux, Spec } from '../spec.ts'
import { fail, shown } from './fail.ts'
import { largestId } from './process.ts'

/** config-linux.md, "Namespaces": the types that are given, each once. */
export function checkNamespaces(linux: Linux | undefined): Set<string> {
  const types = new Set<string>()
  linux?.namespaces?.forEach(({ type, path }, index) => {
    const at = `linux.namespaces[${index}]`
    if (types.has(type)) fail(at, `namespace ${type} is given twice`, 'keep one of them')
    if (path !== undefined && path !== '' && !path.startsWith('/'))
      fail(`${at}.path`, `${shown(path)} is not absolute`, 'write a path such as /proc/PID/ns/net')
    types.add(type)
  })
  return types
}

/** __NEW_UTS_LEN of the kernel. */
const longestName = 64

/** Without a namespace of its own the container would rename its host. */
export function checkNames(spec: Spec, namespaces: ReadonlySet<string>): void {
  for (const name of ['hostname', 'domainname'] as const) {
    const value = spec[name]
    if (!value) continue
    if (!namespaces.has('uts')) fail(name, 'needs a uts namespace', 'add {"type": "uts"} to linux.namespaces')
    if (Buffer.byteLength(value) > longestName)
      fail(name, `${shown(value)} is too long`, `use at most ${longestName} bytes`)
  }
}

/** A relative path is one in the bundle; the kernel takes at most 340 mappings, none of them overlapping. */
export function checkMappings(linux: Linux, namespaces: ReadonlySet<string>): void {
  for (const name of ['uidMappings', 'gidMappings'] as const) {
    const mappings = linux[name] ?? []
    if (mappings.length > 0 && !namespaces.has('user'))
      fail(`linux.${name}`, 'needs a user namespace', 'add {"type": "user"} to linux.namespaces')
    checkMappingList(mappings, `linux.${name}`)
  }
  const user = linux.namespaces?.find(({ type }) => type === 'user')
  if (user && !user.path && !(linux.uidMappings?.length && linux.gidMappings?.length))
    fail('linux.uidMappings', 'a new user namespace needs mappings', 'add uidMappings and gidMappings')
}

const mostMappings = 340 // UID_GID_MAP_MAX_EXTENTS, user_namespaces(7)

export function checkMappingList(mappings: readonly IdMapping[], path: string): void {
  if (mappings.length > mostMappings)
    fail(path, `${mappings.length} mappings are too many`, `use at most ${mostMappings}`)
  mappings.forEach((mapping, index) => {
    checkMapping(mapping, `${path}[${index}]`)
  })
  for (const side of ['containerID', 'hostID'] as const) {
    const sorted = [...mappings].sort((a, b) => a[side] - b[side])
    sorted.forEach(({ [side]: id, size }, index) => {
      const next = sorted[index + 1]
      if (next && id + size > next[side])
        fail(path, `${side} ${next[side]} is mapped twice`, 'let no two ranges overlap')
    })
  }
}

function checkMapping({ containerID, hostID, size }: IdMapping, path: string): void {
  if (size <= 0) fail(`${path}.size`, 'must be above 0', 'give the number of ids')
  for (const [name, id] of [
    ['containerID', containerID],
    ['hostID', hostID],
  ] as const)
    if (id < 0 || id + size - 1 > largestId)
      fail(`${path}.${name}`, `ids ${id} to ${id + size - 1} do not exist`, `stay within 0 to ${largestId}`)
}

/** config-linux.md, "Offset for Time Namespace". */
export function checkTimeOffsets({ timeOffsets = {}, namespaces = [] }: Linux): void {
  const time = namespaces.find(({ type }) => type === 'time')
  for (const [clock, { nanosecs = 0 }] of Object.entries(timeOffsets)) {
    const at = `linux.timeOffsets.${clock}`
    if (clock !== 'monotonic' && clock !== 'boottime') fail(at, 'no such clock', 'use monotonic or boottime')
    if (!time) fail(at, 'needs a time namespace', 'add {"type": "time"} to linux.namespaces')
    if (time.path) fail(at, 'the time namespace that is joined has offsets already', 'leave timeOffsets out')
    if (nanosecs < 0 || nanosecs >= 1e9)
      fail(`${at}.nanosecs`, `${nanosecs} is out of range`, 'use 0 to 999999999, and secs')
  }
}
