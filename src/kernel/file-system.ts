import { statfs } from 'node:fs/promises'
import { release } from 'node:os'

/** statfs(2), f_type. */
const names: Readonly<Record<number, string>> = {
  16914836: 'tmpfs',
  2240043254: 'ramfs',
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  801189825: 'zfs',
  4076150800: 'f2fs',
  2035054128: 'overlay',
  26985: 'nfs',
  1702057286: 'fuse',
  4283649346: 'cifs',
  16914839: '9p',
}

/** As `stat -f -c %T` names it, or its magic number in hex. */
export function fileSystemName(type: number): string {
  return names[type] ?? `0x${type.toString(16)}`
}

/** mount_setattr(2): which file systems can be mounted with other owners, and since when. */
const idmappedSince: Readonly<Record<string, readonly [major: number, minor: number]>> = {
  ext4: [5, 12],
  xfs: [5, 12],
  btrfs: [5, 15],
  f2fs: [5, 18],
  overlay: [5, 19],
  tmpfs: [6, 3],
}

/** Whether this kernel (`6.1.0-18-amd64`) can; a file system that is not in the table cannot. */
export function isIdmappable(fileSystem: string, kernelRelease: string): boolean {
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(kernelRelease) ?? []
  const since = idmappedSince[fileSystem]
  if (!since) return false
  const [sinceMajor, sinceMinor] = since
  return Number(major) > sinceMajor || (Number(major) === sinceMajor && Number(minor) >= sinceMinor)
}

/** Of where this path lies, on this machine. */
export async function canIdmap(path: string): Promise<boolean> {
  const { type } = await statfs(path)
  return isIdmappable(fileSystemName(type), release())
}
