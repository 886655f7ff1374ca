import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { changeOomScores } from '../../src/pod/oom-scores.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const host = { capabilities: [], oomScoreAdjMin: -100 }

async function proc(path: string, scores: Record<number, string>): Promise<void> {
  for (const [pid, score] of Object.entries(scores)) {
    await mkdir(join(path, pid))
    await writeFile(join(path, pid, 'oom_score_adj'), score)
  }
}

test('every process gets it, no lower than may be; what is not kept is taken back; one that is gone is fine', async (t) => {
  await using directory = await temporaryDirectory()
  const { path } = directory
  await proc(path, { 5: '10\n', 6: '20\n' })
  const container = { pids: async () => [5, 6, 7] }
  const scores = () =>
    Promise.all([5, 6].map(async (pid) => Number(await readFile(join(path, String(pid), 'oom_score_adj')))))
  {
    await using _undone = await changeOomScores(container, -500, host, path)
    t.deepEqual(await scores(), [-100, -100])
  }
  t.deepEqual(await scores(), [10, 20])
  await using undo = await changeOomScores(container, 7, host, path)
  undo.keep()
  t.deepEqual(await scores(), [7, 7])
  await using _none = await changeOomScores(container, 0, host, path)
  t.deepEqual(await scores(), [7, 7])
})
