/** An exec in two steps: everything is set up, its pid is known, and then it runs or it does not. */
import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { ExecRequest } from '../../src/oci/index.ts'
import { idleContainer } from '../support/contained.ts'
import { containerStage, plainSpec } from '../support/container.ts'
import { eventually } from '../support/eventually.ts'
import { rootTest } from '../support/root.ts'

function request(args: string[], more: Partial<ExecRequest> = {}): ExecRequest {
  return { process: plainSpec(args).process ?? { cwd: '/' }, stdio: 'pipe', ...more }
}

rootTest('a prepared exec is in the container, and becomes its program when it is started', async (t) => {
  await using stage = await containerStage('prepared')
  const container = await idleContainer(stage, 'host', plainSpec(['sleep', '1000']))
  await using prepared = await container.prepareExec(request(['sh', '-c', 'echo $$; exit 3']))
  const { pid } = await container.state()
  const namespace = (of: number, name: string) => readlinkSync(`/proc/${of}/ns/${name}`)
  for (const name of ['pid', 'mnt', 'net', 'ipc', 'uts', 'cgroup'])
    t.is(namespace(prepared.pid, name), namespace(pid, name), name)
  t.is(
    readFileSync(`/proc/${prepared.pid}/cgroup`, 'utf8'),
    readFileSync(`/proc/${pid}/cgroup`, 'utf8'),
    'and in its cgroups',
  )
  t.regex(readFileSync(`/proc/${prepared.pid}/comm`, 'utf8'), /keelson-init/, 'no program yet')
  const execution = await prepared.start()
  t.is(execution.pid, prepared.pid)
  const [output, exit] = await Promise.all([text(execution.stdout as Readable), execution.wait()])
  t.regex(output, /^\d+\n$/)
  t.deepEqual(exit, { exitCode: 3 })
  await t.throwsAsync(prepared.start(), { code: 'FAILED_PRECONDITION', message: /started already/ })
})

rootTest('one that is not started ends with its object, with its signal, and with a kill', async (t) => {
  await using stage = await containerStage('unstarted')
  const container = await idleContainer(stage, 'host', plainSpec(['sleep', '1000']))
  const gone = (pid: number) => eventually('it is gone', async () => !existsSync(`/proc/${pid}`))
  const disposed = await container.prepareExec(request(['true']))
  await disposed[Symbol.asyncDispose]()
  t.false(existsSync(`/proc/${disposed.pid}`))
  await t.throwsAsync(disposed.start(), { code: 'FAILED_PRECONDITION', message: /gone already/ })
  const giveUp = new AbortController()
  const aborted = await container.prepareExec(request(['true'], { signal: giveUp.signal }))
  giveUp.abort()
  await gone(aborted.pid)
  await using killed = await container.prepareExec(request(['true']))
  killed.kill('KILL')
  t.deepEqual(await (await killed.start()).wait(), { exitCode: 137, signal: 9 })
  t.is((await container.state()).status, 'running')
})

rootTest(
  'what cannot be run fails where it is found out; a detached one leaves nothing of ours',
  async (t) => {
    await using stage = await containerStage('late')
    const container = await idleContainer(stage, 'host', plainSpec(['sleep', '1000']))
    await t.throwsAsync(container.prepareExec(request(['no-such'])), { message: /executable file not found/ })
    await t.throwsAsync(container.exec(request(['no-such'])), { message: /executable file not found/ })
    const prepared = await container.prepareExec(
      request(['sleep', '1000'], { stdio: [0, 1, 2], detached: {} }),
    )
    const execution = await prepared.start()
    t.regex(readFileSync(`/proc/${execution.pid}/cmdline`, 'utf8'), /^sleep\0/)
    await t.throwsAsync(execution.wait(), { code: 'FAILED_PRECONDITION' })
  },
)
