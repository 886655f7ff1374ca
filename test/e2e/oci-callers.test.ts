/** What engines rely on without saying so: where a created container is, and a start whose caller is lost. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Spec } from '../../src/oci/spec.ts'
import { busyboxSpec, makeBundle } from '../support/bundle.ts'
import { engineTests } from '../support/engine-test.ts'
import { eventually } from '../support/eventually.ts'
import { ociTests } from '../support/oci-tests.ts'

const { engineTest } = engineTests([])
const { programs, nextId } = ociTests('callers')

const shell = (script: string, change: (spec: Spec) => Spec) =>
  busyboxSpec(['/bin/sh', '-c', script], (spec) =>
    change({ ...spec, root: { path: 'rootfs', readonly: false } }),
  )

engineTest('when create returns, the process is in its cgroup in every hierarchy', async (t) => {
  const { run } = programs.keelson
  for (let round = 0; round < 5; round++) {
    const id = nextId()
    const cgroupsPath = `/${id}`
    using bundle = makeBundle(shell('true', (spec) => ({ ...spec, linux: { ...spec.linux, cgroupsPath } })))
    const pidFile = join(bundle.path, 'pid')
    const created = await run(['create', '--bundle', bundle.path, '--pid-file', pidFile, id])
    const lines = readFileSync(`/proc/${readFileSync(pidFile, 'utf8')}/cgroup`, 'utf8')
      .trim()
      .split('\n')
    t.is(created.code, 0, created.stderr)
    t.true(lines.length > 0)
    t.deepEqual(
      lines.filter((line) => !line.endsWith(`:${cgroupsPath}`)),
      [],
    )
    t.like(await run(['delete', '--force', id]), { code: 0 })
  }
})

engineTest('a start that is killed at any moment starts once or not at all, and never hangs', async (t) => {
  const { run, path, stateRoot } = programs.keelson
  const outcomes = { before: 0, after: 0 }
  for (let round = 0; round < 24; round++) {
    const id = nextId()
    using bundle = makeBundle(shell('echo started >> /log; exec sleep 100', (spec) => spec))
    const log = join(bundle.rootfs, 'log')
    t.like(await run(['create', '--bundle', bundle.path, id]), { code: 0 })
    const starting = spawn(path, ['--root', stateRoot, 'start', id], { stdio: 'ignore' })
    await sleep(round % 3 === 0 ? 0 : round)
    await killed(starting)
    const { status } = JSON.parse((await run(['state', id])).stdout)
    t.true(['created', 'running'].includes(status), status)
    const again = await run(['start', id])
    outcomes[again.code === 0 ? 'before' : 'after']++
    await eventually('the program runs', () => existsSync(log) && readFileSync(log, 'utf8') !== '')
    t.is(JSON.parse((await run(['state', id])).stdout).status, 'running')
    t.is(readFileSync(log, 'utf8'), 'started\n')
    t.like(await run(['delete', '--force', id]), { code: 0 })
  }
  t.log(`started by the second start ${outcomes.before} times, by the killed one ${outcomes.after} times`)
})

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}
