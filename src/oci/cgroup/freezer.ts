import { dirname, join } from 'node:path'
import { type Clock, KeelsonError } from '../../base/index.ts'
import { readFiles } from '../../kernel/index.ts'
import { readOrEmpty, tryWrite } from './files.ts'

/**
 * Stopping every process of a group where it is: v1 has a freezer hierarchy (freezer.state), a v2 directory its own
 * switch (cgroup.freeze). On hybrid it is v1's: a process that one of them has stopped never reaches the other's trap,
 * so with both thrown neither would ever say that it is done. A leaf without either is left alone.
 */
type Leaves = readonly string[]

interface FreezeOptions {
  clock: Clock
  /** How long a process may take to stop (it may be in the middle of a system call). Default 10000. */
  timeoutMs?: number
}

/**
 * Resolves when all have stopped. Where one does not in time everything runs again, and it is a DEADLINE_EXCEEDED; a
 * host without a freezer is UNIMPLEMENTED.
 */
export async function freezeCgroup(
  leaves: Leaves,
  { clock, timeoutMs = 10_000 }: FreezeOptions,
): Promise<void> {
  const frozen = await beginFreeze(leaves)
  if (frozen.length === 0)
    throw new KeelsonError('UNIMPLEMENTED', 'the container’s cgroups cannot be frozen: there is no freezer', {
      op: 'pause',
    })
  if (await waitFrozen(frozen, clock, timeoutMs)) return
  await thawCgroup(leaves)
  throw new KeelsonError('DEADLINE_EXCEEDED', `the container was not frozen within ${timeoutMs} ms`, {
    op: 'pause',
    path: frozen[0] ?? '',
    hint: 'a process of it hangs in the kernel; see its cgroup.procs',
  })
}

/** The same for as long as it takes or a moment at most: who is about to kill need not wait for stragglers. */
export async function freezeBriefly(
  leaves: Leaves,
  { clock, timeoutMs = 200 }: FreezeOptions,
): Promise<void> {
  await waitFrozen(await beginFreeze(leaves), clock, timeoutMs)
}

export async function thawCgroup(leaves: Leaves): Promise<void> {
  for (const leaf of leaves) {
    await tryWrite(join(leaf, 'freezer.state'), 'THAWED')
    await tryWrite(join(leaf, 'cgroup.freeze'), '0')
  }
}

const freezerFiles = ['freezer.state', 'cgroup.freeze', 'cgroup.events']

/** Frozen by whomever, or about to be: v1 says FREEZING until every process has stopped, and nothing new runs then. */
export function isFrozen(leaves: Leaves): boolean {
  return leaves.some((leaf) => saysFrozen(readFiles(leaf, freezerFiles) ?? []))
}

function saysFrozen([state = '', freeze = '', events = '']: (string | undefined)[]): boolean {
  return /^(FROZEN|FREEZING)/.test(state) || freeze.startsWith('1') || /^frozen 1$/m.test(events)
}

/** The nearest group above (or at) each leaf that exists and is frozen, so that nobody who joins would run. */
export function frozenAbove(leaves: Leaves): string | undefined {
  return leaves.map(nearest).find((found) => found && saysFrozen(found.texts))?.directory
}

function nearest(leaf: string): { directory: string; texts: (string | undefined)[] } | undefined {
  for (let directory = leaf; directory !== dirname(directory); directory = dirname(directory)) {
    const texts = readFiles(directory, freezerFiles)
    if (texts) return { directory, texts }
  }
  return undefined
}

/** The leaves whose freezer it is. */
async function beginFreeze(leaves: Leaves): Promise<string[]> {
  const v1 = await whereWritten(leaves, 'freezer.state', 'FROZEN')
  return v1.length > 0 ? v1 : whereWritten(leaves, 'cgroup.freeze', '1')
}

async function whereWritten(leaves: Leaves, file: string, value: string): Promise<string[]> {
  const written = await Promise.all(leaves.map((leaf) => tryWrite(join(leaf, file), value)))
  return leaves.filter((_, index) => written[index])
}

/** v1 looks anew only when it is read; v2 has a line for it. */
async function waitFrozen(leaves: Leaves, clock: Clock, timeoutMs: number): Promise<boolean> {
  const deadline = clock.monotonicMs() + timeoutMs
  for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 20)) {
    const left = await Promise.all(leaves.map(hasRunning))
    if (!left.includes(true)) return true
    if (clock.monotonicMs() > deadline) return false
    await clock.sleep(waitMs)
  }
}

async function hasRunning(leaf: string): Promise<boolean> {
  return (
    (await readOrEmpty(join(leaf, 'freezer.state'))).startsWith('FREEZING') ||
    /^frozen 0$/m.test(await readOrEmpty(join(leaf, 'cgroup.events')))
  )
}
