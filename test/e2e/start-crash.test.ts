/** Whoever creates or starts a container is killed while hooks run, or comes twice: by the real command line. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bundle } from '../support/bundle.ts'
import { eventually } from '../support/eventually.ts'
import { bundleWith, leftovers, script } from '../support/hooked-bundle.ts'
import { ociTests } from '../support/oci-tests.ts'

const { programs, nextId, busyboxTest: crashTest } = ociTests('startcrash')

/** Runs the command and kills it as soon as a hook has made this file of the bundle's. */
async function killedAt(bundle: Bundle, file: string, words: readonly string[]): Promise<void> {
  const { path, stateRoot } = programs.keelson
  const child = spawn(path, ['--root', stateRoot, ...words], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  await eventually('the hook runs', async () => existsSync(join(bundle.path, 'out', file)))
  child.kill('SIGKILL')
  await ended
}

const isAlive = (bundle: Bundle, file: string) =>
  existsSync(`/proc/${readFileSync(join(bundle.path, 'out', file), 'utf8').trim()}`)

for (const stage of ['prestart', 'createRuntime', 'createContainer'] as const)
  crashTest(
    `the creator is killed while a ${stage} hook runs: it ends too, and delete --force leaves nothing`,
    async (t) => {
      using bundle = bundleWith(({ path }) => ({
        [stage]: [script(`echo $$ > ${path}/out/pid; exec sleep 1000`)],
        poststop: [script(`touch ${path}/out/ended`)],
      }))
      const id = nextId()
      await killedAt(bundle, 'pid', ['create', '--bundle', bundle.path, id])
      if (stage !== 'createContainer')
        await eventually('the hook has ended', async () => !isAlive(bundle, 'pid'))
      const deleted = await programs.keelson.run(['delete', '--force', id])
      t.is(deleted.code, 0, deleted.stderr)
      t.deepEqual(leftovers(programs.keelson, bundle, id), [])
      t.true(existsSync(join(bundle.path, 'out/ended')), 'poststop ran')
    },
  )

crashTest('a start that loses its caller goes on, and no second one starts the program again', async (t) => {
  using bundle = bundleWith(
    () => ({ startContainer: [script('touch /out/hook; sleep 1')] }),
    (spec) => ({
      ...spec,
      mounts: [
        ...(spec.mounts ?? []),
        { destination: '/out', type: 'bind', source: 'out', options: ['bind', 'rw'] },
      ],
      process: { cwd: '/', ...spec.process, args: ['/bin/sh', '-c', 'echo ran >> /out/ran; sleep 1000'] },
    }),
  )
  const id = nextId()
  t.is((await programs.keelson.run(['create', '--bundle', bundle.path, id])).code, 0)
  await killedAt(bundle, 'hook', ['start', id])
  await eventually('the program runs', async () => existsSync(join(bundle.path, 'out/ran')))
  const second = await programs.keelson.run(['start', id])
  t.is(second.code, 1)
  t.regex(second.stderr, /running/)
  t.is(readFileSync(join(bundle.path, 'out/ran'), 'utf8'), 'ran\n')
  t.is((await programs.keelson.run(['delete', '--force', id])).code, 0)
  t.deepEqual(leftovers(programs.keelson, bundle, id), [])
})

crashTest('two starts at once: one wins', async (t) => {
  using bundle = bundleWith(
    () => ({}),
    (spec) => ({
      ...spec,
      mounts: [
        ...(spec.mounts ?? []),
        { destination: '/out', type: 'bind', source: 'out', options: ['bind', 'rw'] },
      ],
      process: { cwd: '/', ...spec.process, args: ['/bin/sh', '-c', 'echo ran >> /out/ran; sleep 1000'] },
    }),
  )
  for (let round = 0; round < 3; round++) {
    const id = nextId()
    t.is((await programs.keelson.run(['create', '--bundle', bundle.path, id])).code, 0)
    const codes = await Promise.all(
      [1, 2, 3].map(async () => (await programs.keelson.run(['start', id])).code),
    )
    t.deepEqual(codes.sort(), [0, 1, 1])
    t.is((await programs.keelson.run(['delete', '--force', id])).code, 0)
  }
  t.is(readFileSync(join(bundle.path, 'out/ran'), 'utf8').split('\n').length - 1 <= 3, true)
})
