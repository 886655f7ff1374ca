import { writeFile } from 'node:fs/promises'
import { asKeelsonError } from '../base/index.ts'
import type { CgroupWrite } from './cgroup/plan.ts'

/** Settings of cgroups that are there, in order; the first that the kernel refuses ends it, unless it is optional. */
export async function writeSettings(writes: readonly CgroupWrite[], op = 'update'): Promise<void> {
  for (const { path, value, optional } of writes)
    try {
      await writeFile(path, value)
    } catch (error) {
      if (!optional) throw asKeelsonError(error, { op, path })
    }
}
