import { readFile, writeFile } from 'node:fs/promises'
import { asKeelsonError, Cleanup, hasErrno } from '../base/index.ts'
import type { Container } from '../oci/index.ts'
import type { HostLimits } from './spec/spec.ts'

/**
 * Gives every process of a container this oom_score_adj, as far as this process may (proc_pid_oom_score_adj(5)); 0 is
 * CRI's word for "not asked for". Disposed without `keep`, each gets back what it had. One that ends meanwhile is fine,
 * and one that is forked meanwhile has its parent's.
 */
export async function changeOomScores(
  container: Pick<Container, 'pids'>,
  score: number,
  { oomScoreAdjMin }: HostLimits,
  proc = '/proc',
): Promise<Cleanup> {
  const undo = new Cleanup()
  if (score === 0) return undo
  try {
    for (const pid of await container.pids()) await setScore(`${proc}/${pid}/oom_score_adj`)
    return undo
  } catch (error) {
    await undo[Symbol.asyncDispose]()
    throw asKeelsonError(error, { op: 'UpdateContainerResources' })
  }

  async function setScore(path: string): Promise<void> {
    const before = await readOrGone(path)
    if (before === undefined) return
    undo.defer(() => writeOrGone(path, before))
    await writeOrGone(path, String(Math.max(score, oomScoreAdjMin)))
  }
}

async function readOrGone(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(ifGone)
}

async function writeOrGone(path: string, value: string): Promise<void> {
  await writeFile(path, value).catch(ifGone)
}

function ifGone(error: unknown): undefined {
  if (hasErrno(error, 'ENOENT', 'ESRCH')) return undefined
  throw error
}
