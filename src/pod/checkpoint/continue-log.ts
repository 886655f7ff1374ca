import { copyFile, link, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { hasErrno } from '../../base/index.ts'
import { parts } from './documents.ts'

/**
 * The log of a restored container begins with what its first life wrote. By a second name for a whole copy, so there is
 * never half of it, and what is at the log's path already (also a link) stays as it is.
 */
export async function continueLog(kept: string, logPath: string): Promise<void> {
  const whole = `${logPath}.restored`
  try {
    await rm(whole, { force: true })
    await copyFile(join(kept, parts.log), whole)
    await link(whole, logPath)
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'EEXIST')) throw error
  } finally {
    await rm(whole, { force: true })
  }
}
