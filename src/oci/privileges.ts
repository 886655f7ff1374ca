import { accessSync, constants, readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'

/** A range of ids that a user may map besides its own (subuid(5)). */
export interface IdRange {
  start: number
  count: number
}

/** What this process may do with ids and namespaces; read once, handed to everything that decides by it. */
export interface Privileges {
  uid: number
  gid: number
  /** Root of the first user namespace: nothing is refused to it that the kernel has. */
  isRoot: boolean
  /** The ranges of /etc/subuid and /etc/subgid that belong to this user. */
  subordinateUids: readonly IdRange[]
  subordinateGids: readonly IdRange[]
  /** newuidmap and newgidmap, where both are installed. */
  mapPrograms?: { uids: string; gids: string }
}

/** Small files and look-ups: instant. */
export function readPrivileges(): Privileges {
  const uid = process.geteuid?.() ?? 0
  const gid = process.getegid?.() ?? 0
  const isRoot = uid === 0 && isFirstUserNamespace(readOrEmpty('/proc/self/uid_map'))
  const none = { uid, gid, isRoot, subordinateUids: [], subordinateGids: [] }
  if (uid === 0) return none
  const names = [String(uid), nameOf(uid)]
  const uids = findProgram('newuidmap')
  const gids = findProgram('newgidmap')
  return {
    ...none,
    subordinateUids: parseSubordinateIds(readOrEmpty('/etc/subuid'), names),
    subordinateGids: parseSubordinateIds(readOrEmpty('/etc/subgid'), names),
    ...(uids && gids ? { mapPrograms: { uids, gids } } : {}),
  }
}

/** Only the first user namespace maps every id to itself. */
export function isFirstUserNamespace(uidMap: string): boolean {
  return /^\s*0\s+0\s+4294967295\s*$/.test(uidMap)
}

/** Lines `NAME:START:COUNT`; NAME may be the number of the user. Lines that are not like that are nobody's. */
export function parseSubordinateIds(text: string, names: readonly (string | undefined)[]): IdRange[] {
  return text.split('\n').flatMap((line) => {
    const [, name, start, count] = /^([^:#]+):(\d+):(\d+)$/.exec(line.trim()) ?? []
    return name !== undefined && names.includes(name) && Number(count) > 0
      ? [{ start: Number(start), count: Number(count) }]
      : []
  })
}

/** A user that only exists as a number has no name. */
function nameOf(uid: number): string | undefined {
  try {
    const { username, uid: found } = userInfo()
    return found === uid ? username : undefined
  } catch {
    return undefined
  }
}

/** In fixed places: what a set-uid program is called by must not come from a variable. */
function findProgram(name: string): string | undefined {
  return ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin', '/run/wrappers/bin']
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
