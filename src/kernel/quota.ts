import { native } from './native.ts'

declare module './native.ts' {
  interface Native {
    quotaState(directory: string): Promise<QuotaState>
    quotaAssign(directory: string, project: number, bytesMax: number): Promise<boolean>
    quotaRelease(directory: string, project: number): Promise<void>
    quotaUsage(directory: string, project: number): Promise<{ bytes: number; inodes: number }>
  }
}

/** Whether the file system counts what belongs to a project, and holds it to a limit. */
export interface QuotaState {
  readonly counts: boolean
  readonly limits: boolean
}

/**
 * Project quotas of the file system that holds a directory (quotactl(2); ext4 and XFS, mounted with prjquota): what is
 * made in a directory with a project belongs to it too. On a pool thread; errors are SyscallError.
 */
export const projectQuota = {
  state(directory: string): Promise<QuotaState> {
    return native.quotaState(directory)
  },
  /** For an empty directory; `bytesMax` 0 is no limit. False: something belongs to this project already. */
  assign(directory: string, project: number, bytesMax: number): Promise<boolean> {
    return native.quotaAssign(directory, project, bytesMax)
  },
  /** Takes the limit of a project away; the directory is any of that file system. */
  release(directory: string, project: number): Promise<void> {
    return native.quotaRelease(directory, project)
  },
  usage(directory: string, project: number): Promise<{ bytes: number; inodes: number }> {
    return native.quotaUsage(directory, project)
  },
}
