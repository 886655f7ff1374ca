import { rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { asKeelsonError, type Clock, hasErrno, KeelsonError, systemClock } from '../../base/index.ts'
import { whichExist } from '../../kernel/index.ts'
import { readOrEmpty, subtree, tryWrite } from './files.ts'
import { freezeBriefly, frozenAbove, thawCgroup } from './freezer.ts'
import type { CgroupPlan } from './plan.ts'

/**
 * Acts on cgroups that exist. `leaves` is what `planCgroup` gave: the container's directory in each hierarchy. A
 * directory that is gone counts as empty, so everything here may be called again after a crash.
 */
type Leaves = readonly string[]

const sigkill = 9

/** Every process in the container's cgroups and below, ascending. Groups that the container made count too. */
export async function cgroupPids(leaves: Leaves): Promise<number[]> {
  const pids = new Set<number>()
  for (const leaf of leaves)
    for (const directory of await subtree(leaf))
      for (const line of (await readOrEmpty(join(directory, 'cgroup.procs'))).split('\n'))
        if (line !== '' && line !== '0') pids.add(Number(line))
  return [...pids].sort((a, b) => a - b)
}

/**
 * A new container gets groups of its own: FAILED_PRECONDITION where somebody lives in one of them already, or where
 * it could never run because they, or what is above them, are frozen.
 */
export async function requireUnused({
  leaves,
  freezers,
}: Pick<CgroupPlan, 'leaves' | 'freezers'>): Promise<void> {
  const exist = whichExist(leaves)
  const pids = await cgroupPids(leaves.filter((_, index) => exist[index]))
  const details = { op: 'create', path: 'linux.cgroupsPath' }
  if (pids.length > 0)
    throw new KeelsonError(
      'FAILED_PRECONDITION',
      `the container’s cgroup is not empty: ${pids.length} process(es)`,
      {
        ...details,
        hint: `choose another cgroupsPath, or end them: ${pids.slice(0, 8).join(', ')}`,
      },
    )
  const frozen = frozenAbove(freezers)
  if (frozen !== undefined)
    throw new KeelsonError('FAILED_PRECONDITION', `the container’s cgroup is frozen: ${frozen}`, {
      ...details,
      hint: 'thaw it first',
    })
}

/**
 * Sends a signal to every process. SIGKILL on a v2 directory is one write to cgroup.kill, which a fork bomb cannot
 * outrun and a frozen process cannot sleep through. What is left (v1, or a process that sits in another hierarchy
 * only) is frozen first, so that none is missed, and thawed after: a signal waits for that on v1.
 */
export async function killCgroup(
  leaves: Leaves,
  signal = sigkill,
  clock: Clock = systemClock,
): Promise<void> {
  if (signal === sigkill) for (const leaf of leaves) await tryWrite(join(leaf, 'cgroup.kill'), '1')
  await freezeBriefly(leaves, { clock })
  try {
    for (const pid of await cgroupPids(leaves)) send(pid, signal)
  } finally {
    await thawCgroup(leaves)
  }
}

/** How often the kernel's OOM killer struck in the group (v1 memory.oom_control, v2 memory.events: `oom_kill N`). */
export async function oomKills(oomFile: string): Promise<number> {
  const line = /^oom_kill (\d+)$/m.exec(await readOrEmpty(oomFile))
  return Number(line?.[1] ?? 0)
}

export interface RemoveOptions {
  clock: Clock
  /** How long a directory may stay busy while its last processes are being reaped. Default 5000. */
  timeoutMs?: number
}

/**
 * Removes the leaves with all groups below them, deepest first; parents stay. A dying process keeps its group busy
 * for a moment after its exit, hence the retries. FAILED_PRECONDITION when a process still lives in there.
 */
export async function removeCgroup(
  leaves: Leaves,
  { clock, timeoutMs = 5000 }: RemoveOptions,
): Promise<void> {
  const deadline = clock.monotonicMs() + timeoutMs
  for (const leaf of leaves)
    for (let waitMs = 1; !(await removeTree(leaf)); waitMs = Math.min(waitMs * 2, 100)) {
      if (clock.monotonicMs() > deadline)
        throw new KeelsonError('FAILED_PRECONDITION', 'the cgroup still has processes', {
          op: 'removeCgroup',
          path: leaf,
          hint: `see ${join(leaf, 'cgroup.procs')}`,
        })
      await clock.sleep(waitMs)
    }
}

/** True when nothing is left, false when something is busy. */
async function removeTree(leaf: string): Promise<boolean> {
  let done = true
  for (const directory of (await subtree(leaf)).reverse()) done = (await removeOne(directory)) && done
  return done
}

async function removeOne(directory: string): Promise<boolean> {
  try {
    await rmdir(directory)
    return true
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return true
    if (hasErrno(error, 'EBUSY', 'ENOTEMPTY')) return false
    throw asKeelsonError(error, { op: 'removeCgroup' })
  }
}

function send(pid: number, signal: number): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw asKeelsonError(error, { op: 'kill' })
  }
}
