import type { LinuxContainerSecurityContext } from '../../../cri/types.ts'
import { SupplementalGroupsPolicy } from '../../../cri/types.ts'
import { KeelsonError } from '../../base/index.ts'

export interface UserRequest {
  security: LinuxContainerSecurityContext | undefined
  /** USER of the image: `user`, `uid`, `user:group`, `uid:gid`. */
  imageUser: string
  /** Text of the image's /etc/passwd and /etc/group; empty when it has none. */
  passwd: string
  group: string
}

export interface ResolvedUser {
  uid: number
  gid: number
  /** The primary group comes first: dropping it would let a process shed a group that denies (CVE-2022-36109). */
  additionalGids: number[]
}

interface PasswdEntry {
  name: string
  uid: number
  gid: number
}

interface GroupEntry {
  name: string
  gid: number
  members: string[]
}

/**
 * Who the process runs as: the caller's uid or name, else the image's USER, else root. The group is the caller's,
 * else the one in the image's USER (only when the user came from there too), else the user's primary group, else 0.
 * Numbers need no entry in /etc/passwd; names do.
 */
export function resolveUser({ security, imageUser, passwd, group }: UserRequest): ResolvedUser {
  const runAsUser = security?.runAsUser?.value
  const runAsGroup = security?.runAsGroup?.value
  const runAsName = security?.runAsUsername ?? ''
  if (runAsGroup !== undefined && runAsUser === undefined && runAsName === '')
    throw invalid('run_as_group needs run_as_user or run_as_username')
  const [imageName = '', imageGroup = ''] = imageUser.split(':')
  const asked = runAsUser !== undefined ? String(runAsUser) : runAsName
  const groups = parseGroup(group)
  const user = findUser(asked || imageName || '0', parsePasswd(passwd))
  const gid = findGid({ runAsGroup, imageGroup: asked ? '' : imageGroup, user, groups })
  return { uid: user.uid, gid, additionalGids: supplementalGids(security, user, gid, groups) }
}

function findUser(asked: string, entries: readonly PasswdEntry[]): PasswdEntry {
  const named = entries.find(({ name }) => name === asked)
  if (named) return named
  if (!/^\d+$/.test(asked)) throw invalid(`the image has no user ${asked} in /etc/passwd`)
  const uid = idNumber(asked)
  return entries.find((entry) => entry.uid === uid) ?? { name: '', uid, gid: 0 }
}

function findGid(from: {
  runAsGroup: bigint | undefined
  imageGroup: string
  user: PasswdEntry
  groups: readonly GroupEntry[]
}): number {
  if (from.runAsGroup !== undefined) return idNumber(String(from.runAsGroup))
  if (from.imageGroup === '') return from.user.gid
  const named = from.groups.find(({ name }) => name === from.imageGroup)
  if (named) return named.gid
  if (/^\d+$/.test(from.imageGroup)) return idNumber(from.imageGroup)
  throw invalid(`the image has no group ${from.imageGroup} in /etc/group`)
}

function supplementalGids(
  security: LinuxContainerSecurityContext | undefined,
  user: PasswdEntry,
  gid: number,
  groups: readonly GroupEntry[],
): number[] {
  const asked = (security?.supplementalGroups ?? []).map((one) => idNumber(String(one)))
  const strict = security?.supplementalGroupsPolicy === SupplementalGroupsPolicy.Strict
  const merged = groups.filter(({ members }) => !strict && user.name !== '' && members.includes(user.name))
  return [...new Set([gid, ...asked, ...merged.map((entry) => entry.gid)])]
}

function parsePasswd(text: string): PasswdEntry[] {
  return lines(text).flatMap(([name = '', , uid = '', gid = '']) =>
    isId(uid) && isId(gid) ? [{ name, uid: Number(uid), gid: Number(gid) }] : [],
  )
}

function parseGroup(text: string): GroupEntry[] {
  return lines(text).flatMap(([name = '', , gid = '', members = '']) =>
    isId(gid) ? [{ name, gid: Number(gid), members: members.split(',').map((one) => one.trim()) }] : [],
  )
}

function lines(text: string): string[][] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'))
}

/** (uid_t)-1 means "no change" to the kernel and is nobody's number. */
const idMax = 2 ** 32 - 2

function isId(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) <= idMax
}

function idNumber(text: string): number {
  if (isId(text)) return Number(text)
  throw invalid(`${text} is not a user or group number`)
}

function invalid(message: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', message)
}
