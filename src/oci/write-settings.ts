import { constants } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { asKeelsonError, hasErrno } from '../base/index.ts'
import type { CgroupWrite } from './cgroup/plan.ts'

/** Settings of cgroups that are there, in order; the first that the kernel refuses ends it, unless it may fail. */
export async function writeSettings(writes: readonly CgroupWrite[], op = 'update'): Promise<void> {
  let wasAbsent = false
  for (const write of writes) {
    if (write.alternative && !wasAbsent) continue
    wasAbsent = !(await writeOne(write, op))
  }
}

/** As above, and when one is refused those before it get their old values back, the last one first. */
export async function changeSettings(writes: readonly CgroupWrite[], op = 'update'): Promise<void> {
  const before: CgroupWrite[] = []
  let wasAbsent = false
  for (const write of writes) {
    if (write.alternative && !wasAbsent) continue
    const old = await oldLines(write)
    try {
      wasAbsent = !(await writeOne(write, op))
    } catch (error) {
      await writeSettings(before.reverse(), op)
      throw error
    }
    before.push(...old)
  }
}

/** False when the file is not there and need not be. */
async function writeOne({ path, value, failure }: CgroupWrite, op: string): Promise<boolean> {
  try {
    // Never creating: on a cgroup file system that would be refused for another reason than the file's absence.
    await writeFile(path, value, { flag: constants.O_WRONLY as unknown as string })
    return true
  } catch (error) {
    const isAbsent = hasErrno(error, 'ENOENT')
    if (failure === 'skip' || (failure === 'skipAbsent' && isAbsent)) return !isAbsent
    throw asKeelsonError(error, { op, path })
  }
}

/** A file with one line for each device takes them back one at a time. */
async function oldLines({ path }: CgroupWrite): Promise<CgroupWrite[]> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const lines = text.split('\n').filter((line) => line !== '')
  return lines.map((value): CgroupWrite => ({ path, value, failure: 'skip' })).reverse()
}
