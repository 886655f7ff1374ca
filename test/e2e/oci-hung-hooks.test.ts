/** A hook that never ends, and has no timeout, holds its own command up and no other. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Hooks } from '../../src/oci/spec.ts'
import { eventually } from '../support/eventually.ts'
import { bundleWith, leftovers, processesNamed, script } from '../support/hooked-bundle.ts'
import { ociTests } from '../support/oci-tests.ts'

const { programs, nextId, busyboxTest } = ociTests('hung')
const title = (stage: string) => `state, kill and delete --force while a ${stage} hook hangs`
const stages: [stage: keyof Hooks, status: string, ending: RegExp][] = [
  ['prestart', 'creating', /the container ended while its hooks ran/],
  ['createRuntime', 'creating', /the container ended while its hooks ran/],
  ['createContainer', 'creating', /create/],
  ['startContainer', 'created', /^$/],
  ['poststart', 'running', /hooks\.poststart\[0\]: .*ended by signal 15/],
]

for (const [index, [stage, status, ending]] of stages.entries()) {
  const hangs = `sleep ${200_000_000 + process.pid * 10 + index}`
  busyboxTest(title(stage), async (t) => {
    const { keelson } = programs
    const id = nextId()
    using bundle = bundleWith(
      () => ({ [stage]: [script(`exec ${hangs}`)] }),
      (spec) => ({
        ...spec,
        ...(spec.process ? { process: { ...spec.process, args: ['/bin/sleep', '100'] } } : {}),
      }),
    )
    const isStart = stage === 'startContainer' || stage === 'poststart'
    if (isStart) t.is((await keelson.run(['create', '--bundle', bundle.path, id])).code, 0)
    const words = isStart ? ['start', id] : ['create', '--bundle', bundle.path, id]
    await using hung = begin(keelson.path, ['--root', keelson.stateRoot, ...words])
    await eventually('the hook runs', async () => processesNamed(hangs).length > 0)
    const told = JSON.parse((await keelson.run(['state', id])).stdout)
    t.is(told.status, status)
    const killed = await keelson.run(['kill', id, 'CONT'])
    t.is(killed.code, status === 'creating' ? 1 : 0, killed.stderr)
    const startedMs = Date.now()
    t.like(await keelson.run(['delete', '--force', id]), { code: 0, stderr: '' })
    t.true(Date.now() - startedMs < 8000, `${Date.now() - startedMs} ms`)
    t.deepEqual(leftovers(keelson, bundle, id), [])
    t.false(existsSync(join(keelson.stateRoot, id)))
    // Such a hook is not the container's any more: it goes on, and its command waits for it.
    if (stage === 'poststart') for (const pid of processesNamed(hangs)) process.kill(Number(pid), 'SIGTERM')
    t.regex(await hung.ended, ending)
    await eventually('the hook is gone', async () => processesNamed(hangs).length === 0)
  })
}

/** `ended`: what it said, and the signal that ended it. */
function begin(path: string, words: string[]) {
  const child = spawn(path, words, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const ended = once(child, 'close').then(([, signal]) => `${said}${signal ?? ''}`)
  return {
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
