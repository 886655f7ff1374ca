import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasErrno, KeelsonError } from '../base/index.ts'
import { mergeResources, resourcesToWrite } from './cgroup/merge.ts'
import { layoutAsMade } from './cgroup/path.ts'
import { planCgroupUpdate } from './cgroup/plan.ts'
import type { RuntimeContext } from './context.ts'
import { withoutCgroup } from './pause-container.ts'
import type { LinuxResources } from './spec.ts'
import { requireAlive } from './state/lifecycle.ts'
import { observe } from './state/observe.ts'
import { prepareLimits, readLimits } from './state/record.ts'
import { updateScope } from './systemd-scope.ts'
import { changeSettings } from './write-settings.ts'

/**
 * Changes the limits that `update` names; the others stay, and so do device rules. All or none: where the kernel
 * refuses one, those written before it get their old values back. The caller holds the lock.
 */
export async function updateContainer(
  context: RuntimeContext,
  id: string,
  directory: string,
  update: LinuxResources,
): Promise<void> {
  const { record, status } = observe(directory, id)
  requireAlive(status, 'update', id)
  if (!record.cgroup) throw withoutCgroup('update', id)
  const { path, v2Directory } = record.cgroup
  const before = readLimits(directory)
  const resources = resourcesToWrite(before, update)
  const limits = mergeResources(before, resources)
  if (context.layout.mode === 'v2' && v2Directory !== undefined)
    refuseBelowUsage(v2Directory, resources, limits)
  const { missingControllers: missing } = context
  const layout = layoutAsMade(context.layout, record.cgroup)
  const { writes, notices } = planCgroupUpdate({ layout, path, resources, missing })
  for (const notice of notices) context.log.warn(notice, { id })
  const prepared = prepareLimits(directory, limits)
  // systemd first: what it sets, the files then say in full.
  if (record.cgroup.systemd) await updateScope(context, record.cgroup.systemd, resources)
  await changeSettings(writes)
  prepared.commit()
}

/**
 * v2 takes a limit below what is in use and lets the OOM killer make it true; with checkBeforeUpdate it is refused,
 * as v1 does by itself.
 */
function refuseBelowUsage(
  v2Directory: string,
  { memory = {} }: LinuxResources,
  limits: LinuxResources,
): void {
  if (!limits.memory?.checkBeforeUpdate) return
  const usage = usageOf(join(v2Directory, 'memory.current'))
  for (const name of ['swap', 'limit'] as const) {
    const limit = memory[name] ?? 0
    if (usage === undefined || limit <= 0 || limit > usage) continue
    const path = `linux.resources.memory.${name}`
    throw new KeelsonError(
      'FAILED_PRECONDITION',
      `${path}: ${limit} is not above the ${usage} bytes in use`,
      {
        op: 'update',
        path,
        hint: 'give more, or leave checkBeforeUpdate out and let processes be killed',
      },
    )
  }
}

function usageOf(path: string): number | undefined {
  try {
    return Number(readFileSync(path, 'utf8'))
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENODEV')) return undefined
    throw error
  }
}
