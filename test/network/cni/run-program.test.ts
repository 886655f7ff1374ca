import { readdirSync, readlinkSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { systemClock as clock } from '../../../src/base/index.ts'
import { type ProgramRequest, runProgram } from '../../../src/network/cni/run-program.ts'
import { scratchDirectory } from '../../support/scratch-directory.ts'

async function run(t: ExecutionContext, script: string, more: Partial<ProgramRequest> = {}) {
  const path = join(await scratchDirectory(t), 'program')
  await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  const env = { PATH: '/usr/bin:/bin' }
  return runProgram({ path, input: '', env, timeoutMs: 10_000, outputBytesMax: 1000, clock, ...more })
}

test('input in, outputs and exit code out, by paths as well as by descriptors', async (t) => {
  const end = await run(t, 'cat /dev/stdin > /dev/stdout; echo bad > /dev/stderr; exit 3', { input: 'good' })
  t.deepEqual(end, { stdout: 'good', stderr: 'bad\n', exitCode: 3, signalName: null })
})

test('an input larger than a pipe arrives whole, and one that nobody reads does no harm', async (t) => {
  const input = 'x'.repeat(300_000)
  t.is((await run(t, 'wc -c', { input })).stdout.trim(), '300000')
  t.is((await run(t, 'exit 0', { input })).exitCode, 0)
})

test('past its time it is killed with its children', async (t) => {
  const startedMs = performance.now()
  const end = await run(t, 'sleep 60 & sleep 60', { timeoutMs: 200 })
  t.like(end, { stopped: 'time', signalName: 'SIGKILL', exitCode: null })
  t.true(performance.now() - startedMs < 5000)
})

test('one that says too much is killed, and what it said is cut', async (t) => {
  const end = await run(t, 'while :; do echo 0123456789012345678901234567890123456789; done')
  t.like(end, { stopped: 'output', exitCode: null })
  t.true(end.stdout.length <= 1000)
})

test('a child that stays does not hold the answer up', async (t) => {
  const startedMs = performance.now()
  const end = await run(t, 'sleep 4 & echo done')
  t.like(end, { stdout: 'done\n', exitCode: 0 })
  t.true(performance.now() - startedMs < 3500)
})

test('given up by its caller, also before it began', async (t) => {
  t.like(await run(t, 'sleep 60', { signal: AbortSignal.timeout(100) }), { stopped: 'aborted' })
  t.like(await run(t, 'sleep 60', { signal: AbortSignal.abort() }), { stopped: 'aborted' })
})

test('a signal is told by name, and what is no program rejects', async (t) => {
  t.like(await run(t, 'kill -TERM $$'), { signalName: 'SIGTERM', exitCode: null })
  await t.throwsAsync(run(t, '', { path: '/nowhere' }), { code: 'ENOENT' })
})

test.serial('what cannot be started leaves no descriptor', async (t) => {
  const before = pipeEnds()
  const env = { TOO_LONG: 'x'.repeat(200_000) } // MAX_ARG_STRLEN is 128 KiB
  for (let i = 0; i < 3; i++) await t.throwsAsync(run(t, 'exit 0', { env }), { code: 'E2BIG' })
  t.is(pipeEnds(), before)
})

function pipeEnds(): number {
  const names = readdirSync('/proc/self/fd')
  return names.filter((name) => linkOf(`/proc/self/fd/${name}`).startsWith('pipe:')).length
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return '' // that of the listing itself
  }
}
