import { readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { asKeelsonError, type Clock, hasErrno, KeelsonError } from '../../base/index.ts'

/**
 * Acts on cgroups that exist. `leaves` is what `planCgroup` gave: the container's directory in each hierarchy. A
 * directory that is gone counts as empty, so everything here may be called again after a crash.
 */
type Leaves = readonly string[]

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
 * Sends a signal to every process. SIGKILL on a v2 directory is one write to cgroup.kill, which a fork bomb cannot
 * outrun. What is left (v1, or a process that sits in another hierarchy only) is frozen first, so that none is
 * missed, and thawed after.
 */
export async function killCgroup(leaves: Leaves, signal = 9): Promise<void> {
  if (signal === 9) for (const leaf of leaves) await tryWrite(join(leaf, 'cgroup.kill'), '1')
  await freezeCgroup(leaves)
  try {
    for (const pid of await cgroupPids(leaves)) send(pid, signal)
  } finally {
    await thawCgroup(leaves)
  }
}

/** Stops every process of the group where it is. The state follows asynchronously. */
export async function freezeCgroup(leaves: Leaves): Promise<void> {
  for (const leaf of leaves) {
    await tryWrite(join(leaf, 'freezer.state'), 'FROZEN')
    await tryWrite(join(leaf, 'cgroup.freeze'), '1')
  }
}

export async function thawCgroup(leaves: Leaves): Promise<void> {
  for (const leaf of leaves) {
    await tryWrite(join(leaf, 'freezer.state'), 'THAWED')
    await tryWrite(join(leaf, 'cgroup.freeze'), '0')
  }
}

/** v1 says FREEZING until every task has stopped; that counts as frozen, since nothing new runs. */
export async function isFrozen(leaves: Leaves): Promise<boolean> {
  for (const leaf of leaves) {
    if (/^(FROZEN|FREEZING)/.test(await readOrEmpty(join(leaf, 'freezer.state')))) return true
    if ((await readOrEmpty(join(leaf, 'cgroup.freeze'))).startsWith('1')) return true
  }
  return false
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

/** The directory and all below it, parents first; empty when it is gone. */
async function subtree(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true })
    const children = entries.filter((entry) => entry.isDirectory())
    const below = await Promise.all(children.map(({ name }) => subtree(join(directory, name))))
    return [directory, ...below.flat()]
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return []
    throw asKeelsonError(error, { op: 'readCgroup' })
  }
}

async function readOrEmpty(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP')) return ''
    throw asKeelsonError(error, { op: 'readCgroup' })
  }
}

/** False when there is no such file: this hierarchy does not have the facility. Never creates one. */
async function tryWrite(path: string, value: string): Promise<boolean> {
  try {
    await writeFile(path, value, { flag: 'r+' })
    return true
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENODEV')) return false
    throw asKeelsonError(error, { op: 'writeCgroup' })
  }
}

function send(pid: number, signal: number): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw asKeelsonError(error, { op: 'kill' })
  }
}
