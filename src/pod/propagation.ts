import { readFile } from 'node:fs/promises'
import { type Mount, MountPropagation } from '../../cri/types.ts'
import { KeelsonError } from '../base/index.ts'

/**
 * Mounts travel between a volume and the host only where the host's mount that the volume lies on is shared
 * (mount_namespaces(7), "Shared subtrees"). Where it is not the kernel would say nothing and pass nothing on, so what
 * cannot work is FAILED_PRECONDITION. The table is read only for who asks for propagation.
 */
export async function checkPropagation(mounts: readonly Mount[]): Promise<void> {
  const asked = mounts.filter(
    ({ propagation, hostPath }) => propagation !== MountPropagation.PROPAGATION_PRIVATE && hostPath !== '',
  )
  if (asked.length === 0) return
  const table = parseMountTable(await readFile('/proc/self/mountinfo', 'utf8'))
  for (const mount of asked) checkOne(mount, mountOf(mount.hostPath, table))
}

export interface MountEntry {
  place: string
  isShared: boolean
  /** Receives what happens at another mount. */
  isSlave: boolean
}

/** proc_pid_mountinfo(5): optional fields lie between the sixth and a single hyphen. Pure. */
export function parseMountTable(text: string): MountEntry[] {
  const lines = text.split('\n').filter((line) => line !== '')
  return lines.map((line) => {
    const [fields = '', ...rest] = line.split(' - ')
    const [, , , , place = '', , ...optional] = rest.length > 0 ? fields.split(' ') : []
    return {
      place: place.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8))),
      isShared: optional.some((field) => field.startsWith('shared:')),
      isSlave: optional.some((field) => field.startsWith('master:')),
    }
  })
}

/** The mount that a path without links lies on: the longest place above it, of equal ones the last, which covers. */
export function mountOf(path: string, table: readonly MountEntry[]): MountEntry | undefined {
  const above = table.filter(({ place }) => place === '/' || path === place || path.startsWith(`${place}/`))
  return above.reduce<MountEntry | undefined>(
    (found, one) => (found && found.place.length > one.place.length ? found : one),
    undefined,
  )
}

function checkOne({ hostPath, propagation }: Mount, found: MountEntry | undefined): void {
  const isBothWays = propagation === MountPropagation.PROPAGATION_BIDIRECTIONAL
  if (!found || found.isShared || (found.isSlave && !isBothWays)) return
  const what = isBothWays ? 'shared' : 'shared or a slave'
  throw new KeelsonError(
    'FAILED_PRECONDITION',
    `mounts of ${hostPath} cannot be propagated: it lies on the mount at ${found.place}, which is not ${what}`,
    { path: hostPath, hint: `mount --make-rshared ${found.place}` },
  )
}
