import { existsSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { posix } from 'node:path'
import { hasErrno } from '../../base/index.ts'
import { parseMountOptions } from '../mount-options.ts'
import type { Spec } from '../spec.ts'

/**
 * What of a container lies outside of it. criu can dump only what is inside; the rest is named at the dump and given
 * again at the restore, under the same name.
 */

/** Binds of the specification and masked files: destination, and what is to be mounted there again. */
export function externalMounts({ mounts = [], linux = {} }: Spec, isFile: (path: string) => boolean) {
  const binds = mounts
    .filter(({ type, options }) => type === 'bind' || parseMountOptions(options).bind)
    .map(({ destination, source = '' }) => [posix.normalize(destination), source] as const)
  const masked = (linux.maskedPaths ?? []).filter(isFile).map((path) => [path, '/dev/null'] as const)
  return [...binds, ...masked]
}

/** Whether a path of the container is something else than a directory, which is masked by /dev/null. */
export function isFileIn(pid: number): (path: string) => boolean {
  return (path) => statSync(`/proc/${pid}/root${path}`, { throwIfNoEntry: false })?.isDirectory() === false
}

/** What 0, 1 and 2 lead to, in runc's words: `pipe:[7]`, `/dev/null`. */
export function stdioOf(pid: number): string[] {
  return [0, 1, 2].map((fd) => {
    try {
      return externalFile(pid, fd) ?? readlinkSync(`/proc/${pid}/fd/${fd}`)
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return ''
      throw error
    }
  })
}

/** `file[mount:inode]` as criu names a file on a mount that the container does not have. */
function externalFile(pid: number, fd: number): string | undefined {
  const mount = /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1]
  const isInside = readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
    .split('\n')
    .some((line) => line.startsWith(`${mount} `))
  const stat = statSync(`/proc/${pid}/fd/${fd}`, { bigint: true })
  if (isInside || mount === undefined || !stat.isFile()) return undefined
  return `file[${Number(mount).toString(16)}:${stat.ino.toString(16)}]`
}

export const isExternalFile = (name: string) => name.startsWith('file[')
export const isPipe = (name: string) => name.startsWith('pipe:')

/** Annotation `org.criu.config`: the container's own settings of criu; an empty one is none; runc's where absent. */
export function criuConfig(annotations: Readonly<Record<string, string>>): string | undefined {
  const path = annotations['org.criu.config'] ?? '/etc/criu/runc.conf'
  return path !== '' && existsSync(path) ? path : undefined
}

/** The namespaces of the container that have a path: net and pid are named at the dump, the others joined. */
export function namespacePaths({ linux = {} }: Spec): { kind: string; path: string }[] {
  const kinds: Readonly<Record<string, string>> = { network: 'net', mount: 'mnt' }
  return (linux.namespaces ?? []).flatMap(({ type, path }) =>
    path ? [{ kind: kinds[type] ?? type, path }] : [],
  )
}
