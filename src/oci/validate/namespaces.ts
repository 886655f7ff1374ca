import { checkIdMappings } from '../id-mappings.ts'
import { shown } from '../shown.ts'
import type { Linux, Spec } from '../spec.ts'
import { fail } from './fail.ts'

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

/** Where none are given, src/oci/user-namespace.ts knows whether there are some to be had. */
export function checkMappings(linux: Linux, namespaces: ReadonlySet<string>): void {
  for (const name of ['uidMappings', 'gidMappings'] as const) {
    const mappings = linux[name] ?? []
    if (mappings.length > 0 && !namespaces.has('user'))
      fail(`linux.${name}`, 'needs a user namespace', 'add {"type": "user"} to linux.namespaces')
    checkIdMappings(mappings, `linux.${name}`)
  }
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
