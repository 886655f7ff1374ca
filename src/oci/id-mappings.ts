import { KeelsonError } from '../base/index.ts'
import type { IdMapping } from './spec.ts'

/**
 * Maps of ids (config-linux.md, "User namespace mappings"; user_namespaces(7)): ids `containerID` and up inside are
 * `hostID` and up outside.
 */

/** -1 (4294967295) is the kernel's word for "leave as it is", so it cannot be an id. */
export const largestId = 0xfffffffe
/** UID_GID_MAP_MAX_EXTENTS, and the page that a map has to fit on. */
const extentsMax = 340
const mapBytesMax = 4095

/** INVALID_ARGUMENT with the JSON path of the mapping that the kernel would not take. */
export function checkIdMappings(mappings: readonly IdMapping[], path: string): void {
  mappings.forEach((mapping, index) => {
    checkRange(mapping, `${path}[${index}]`)
  })
  if (mappings.length > extentsMax)
    fail(path, `${mappings.length} ranges are more than the kernel takes`, `use at most ${extentsMax}`)
  const bytes = idMapText(mappings).length
  if (bytes > mapBytesMax)
    fail(path, `the map is ${bytes} characters long`, `use fewer ranges: at most ${mapBytesMax} characters`)
  for (const field of ['containerID', 'hostID'] as const) checkOverlaps(mappings, field, path)
}

function checkRange({ containerID, hostID, size }: IdMapping, path: string): void {
  if (size <= 0) fail(`${path}.size`, 'must be above 0', 'give the number of ids')
  for (const [name, id] of [
    ['containerID', containerID],
    ['hostID', hostID],
  ] as const)
    if (id < 0 || id + size - 1 > largestId)
      fail(`${path}.${name}`, `ids ${id} to ${id + size - 1} do not exist`, `stay within 0 to ${largestId}`)
}

function checkOverlaps(mappings: readonly IdMapping[], field: 'containerID' | 'hostID', path: string): void {
  const sorted = mappings.map((one, index) => ({ one, index })).sort((a, b) => a.one[field] - b.one[field])
  sorted.forEach(({ one, index }, at) => {
    const before = sorted[at - 1]
    if (before && before.one[field] + before.one.size > one[field])
      fail(
        `${path}[${index}].${field}`,
        `${one[field]} is in range ${before.index} already`,
        'give each id once',
      )
  })
}

function fail(path: string, message: string, hint: string): never {
  throw new KeelsonError('INVALID_ARGUMENT', `${path}: ${message}`, { path, hint })
}

/** As /proc/PID/uid_map takes it. */
export function idMapText(mappings: readonly IdMapping[]): string {
  return mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('')
}

/** The arguments of newuidmap(1) and newgidmap(1) after the pid. */
export function idMapArguments(mappings: readonly IdMapping[]): string[] {
  return mappings.flatMap(({ containerID, hostID, size }) => [containerID, hostID, size].map(String))
}

/** The id outside, undefined when nothing maps it. */
export function hostIdOf(mappings: readonly IdMapping[], id: number): number | undefined {
  const found = mappings.find(({ containerID, size }) => id >= containerID && id < containerID + size)
  return found && found.hostID + id - found.containerID
}

/**
 * The same range of ids, named from inside another map: `hostID` of each mapping counts as an id inside `outer` and
 * is replaced by what it is outside. Undefined when `outer` does not map all of it in one piece.
 */
export function relativeTo(
  outer: readonly IdMapping[],
  mappings: readonly IdMapping[],
): IdMapping[] | undefined {
  const moved = mappings.map((one) => {
    const first = hostIdOf(outer, one.hostID)
    const last = hostIdOf(outer, one.hostID + one.size - 1)
    return first !== undefined && last === first + one.size - 1 ? { ...one, hostID: first } : undefined
  })
  return moved.every((one) => one !== undefined) ? moved : undefined
}

export interface IdMaps {
  uids: IdMapping[]
  gids: IdMapping[]
}

/**
 * crun's own words for the map of a mount: `uids=FROM-TO-SIZE#FROM-TO-SIZE;gids=…`, from ids in the file system to ids
 * on the host, or with `@` before the ranges to ids in the container. Undefined when it is not written like that.
 */
export function parseMountMaps(text: string): Partial<Record<keyof IdMaps, MountRanges>> | undefined {
  const result: Partial<Record<keyof IdMaps, MountRanges>> = {}
  for (const part of text.split(';')) {
    const match = /^(uids|gids)=(@?)(\d+-\d+-\d+(?:#@?\d+-\d+-\d+)*)$/.exec(part)
    if (!match || result[match[1] as keyof IdMaps]) return undefined
    const ranges = (match[3] ?? '').split('#').map((range) => range.replace('@', '').split('-').map(Number))
    result[match[1] as keyof IdMaps] = {
      relative: match[2] === '@',
      mappings: ranges.map(([containerID = 0, hostID = 0, size = 0]) => ({ containerID, hostID, size })),
    }
  }
  return result
}

export interface MountRanges {
  /** `hostID` is an id of the container. */
  relative: boolean
  mappings: IdMapping[]
}
