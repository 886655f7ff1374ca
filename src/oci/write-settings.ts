import { writeFile } from 'node:fs/promises'
import { asKeelsonError } from '../base/index.ts'
import type { CgroupWrite } from './cgroup/plan.ts'

/** Cgroup settings of a running container, in order; the first that the kernel refuses ends it. */
export async function writeSettings(writes: readonly CgroupWrite[]): Promise<void> {
  for (const { path, value, optional } of writes)
    try {
      await writeFile(path, value)
    } catch (error) {
      if (!optional) throw asKeelsonError(error, { op: 'update', path })
    }
}
