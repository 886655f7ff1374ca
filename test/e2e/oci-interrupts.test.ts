/** Signals and terminals of the foreground: what the caller's terminal sends, and what comes of a command that ends early. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { Hooks, Spec } from '../../src/oci/spec.ts'
import { busyboxSpec, makeBundle } from '../support/bundle.ts'
import { eventually } from '../support/eventually.ts'
import { bundleWith, leftovers, processesNamed, script } from '../support/hooked-bundle.ts'
import { ociTests } from '../support/oci-tests.ts'
import { tracesOf } from '../support/refused.ts'

const { programs, nextId, busyboxTest } = ociTests('interrupt')

const trap = 'trap "echo got; exit 7" INT; echo ready; while :; do sleep 0.1; done'

function program(text: string, terminal = false): Spec {
  return busyboxSpec(['/bin/sh', '-c', text], (spec) => ({
    ...spec,
    root: { path: 'rootfs' },
    process: { cwd: '/', ...spec.process, terminal },
  }))
}

/** In a process group of its own, as a shell starts it: what is typed at the terminal goes to all of the group. */
function inOwnGroup(words: string[]): {
  child: ChildProcess
  said: () => string
  signal(name: NodeJS.Signals): void
} {
  const { keelson } = programs
  const child = spawn(keelson.path, ['--root', keelson.stateRoot, ...words], {
    detached: true,
    stdio: 'pipe',
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
  return { child, said: () => text, signal: (name) => void process.kill(-(child.pid ?? 0), name) }
}

for (const verb of ['run', 'exec'])
  busyboxTest(`${verb}: Ctrl-C reaches the program, and its exit code comes back`, async (t) => {
    const id = nextId()
    t.teardown(() => programs.keelson.run(['delete', '--force', id]))
    using bundle = makeBundle(verb === 'run' ? program(trap) : program('exec sleep 100'))
    if (verb === 'exec')
      t.is((await programs.keelson.run(['run', '--detach', '--bundle', bundle.path, id])).code, 0)
    const words = verb === 'run' ? ['run', '--bundle', bundle.path, id] : ['exec', id, '/bin/sh', '-c', trap]
    const { child, said, signal } = inOwnGroup(words)
    const ended = once(child, 'close')
    await eventually('it runs', () => said().includes('ready'))
    signal('SIGINT')
    t.deepEqual(await ended, [7, null], said())
    t.is(said(), 'ready\ngot\n')
    t.is((await programs.keelson.run(['delete', '--force', id])).code, 0)
    t.deepEqual(tracesOf(programs.keelson, id), [])
  })

for (const [index, stage] of (
  ['createRuntime', 'createContainer', 'startContainer', 'poststart'] as const
).entries())
  busyboxTest(`run: SIGTERM while a ${stage} hook hangs takes everything back`, async (t) => {
    const hangs = `sleep ${300_000_000 + process.pid * 10 + index}`
    const id = nextId()
    t.teardown(() => programs.keelson.run(['delete', '--force', id]))
    const hooks: Hooks = { [stage]: [script(`exec ${hangs}`)] }
    using bundle = bundleWith(
      () => hooks,
      (spec) => ({ ...spec, process: { cwd: '/', ...spec.process, args: ['/bin/sleep', '100'] } }),
    )
    const { child, said } = inOwnGroup(['run', '--bundle', bundle.path, id])
    const ended = once(child, 'close')
    await eventually('the hook runs', () => processesNamed(hangs).length > 0)
    child.kill('SIGTERM')
    t.deepEqual(await ended, [1, null])
    t.is(said(), 'keelson-oci: run: SIGTERM ended it before the program ran\n')
    t.deepEqual(leftovers(programs.keelson, bundle, id), [])
    await eventually('the hook is gone', () => processesNamed(hangs).length === 0)
  })

busyboxTest('a terminal: newlines come out as the program’s terminal wrote them, as with runc', async (t) => {
  using bundle = makeBundle(program('test -t 1 && printf "a\\nb\\n"', true))
  for (const { path, stateRoot, name } of [programs.keelson, ...(programs.runc ? [programs.runc] : [])]) {
    const run = `${path} --root ${stateRoot} run --bundle ${bundle.path} ${nextId()}`
    const command = `stty -echo; ${run}; echo code $?; stty -a | grep -c ' icanon'`
    // With its input at its end `script` would type an end of file.
    const terminal = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] })
    let text = ''
    terminal.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    await once(terminal, 'close')
    t.is(text, 'a\r\nb\r\ncode 0\r\n1\r\n', `${name}: and the caller’s terminal is as it was`)
  }
})

for (const [words, parent] of [
  [[], 'keelson-init'],
  [['--no-subreaper'], 'the driver'],
] as const)
  busyboxTest(`run ${words.join('')}: an orphan of the container comes to ${parent}`, async (t) => {
    const id = nextId()
    const sleeps = `sleep ${400_000_000 + process.pid * 10 + words.length}`
    // Without a pid namespace of its own the container's orphans look for a subreaper outside of it.
    const spec = program(`(${sleeps} &) ; exec sleep 100`)
    const namespaces = spec.linux?.namespaces?.filter(({ type }) => type !== 'pid') ?? []
    using bundle = makeBundle({ ...spec, linux: { ...spec.linux, namespaces } })
    const { child } = inOwnGroup(['run', ...words, '--bundle', bundle.path, id])
    const ended = once(child, 'close')
    const [pid] = await eventually('the orphan is there', () => {
      const found = processesNamed(sleeps)
      return found.length > 0 ? found : undefined
    })
    const adopter = await eventually('it is adopted', () => {
      const above = /^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? ''
      const name = readFileSync(`/proc/${above}/comm`, 'utf8').trim()
      return name === 'sh' ? undefined : name
    })
    if (words.length === 0) t.is(adopter, 'keelson-init')
    else t.not(adopter, 'keelson-init')
    t.is((await programs.keelson.run(['kill', id, 'KILL'])).code, 0)
    t.deepEqual(await ended, [137, null])
    await eventually('nothing is left', () => processesNamed(sleeps).length === 0)
    t.deepEqual(tracesOf(programs.keelson, id), [])
  })
