/** A container written to files and made from them again, with a real criu: it goes on from where it was. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Spec } from '../../src/oci/spec.ts'
import { type Bundle, busyboxSpec, makeBundle } from '../support/bundle.ts'
import { eventually } from '../support/eventually.ts'
import { ociTests } from '../support/oci-tests.ts'
import { findPeer, obtainPeers } from '../support/peers.ts'

const { programs, busyboxTest } = ociTests('criu')
let criu: string | undefined
test.before(async (t) => {
  const [missing] = await obtainPeers(['criu'])
  criu = findPeer('criu')
  if (missing) t.log(`no criu: ${missing.reason}`)
  const check = criu === undefined ? undefined : spawnSync(criu, ['check'], { encoding: 'utf8' })
  if (check && check.status !== 0) {
    t.log(`criu does not work on this kernel: ${check.stderr}`)
    criu = undefined
  }
})

const criuTest = (title: string, body: (t: ExecutionContext, run: Run) => Promise<void>) =>
  busyboxTest(title, async (t) => {
    if (criu !== undefined) return body(t, runnerWith(criu))
    t.log('SKIPPED: there is no criu that works here')
    t.pass()
  })

type Stdio = 'ignore' | number
type Run = (
  args: readonly string[],
  stdio?: readonly [Stdio, Stdio, Stdio],
) => Promise<{ code: number; stderr: string }>

/** Without pipes of ours, unless they are handed in: what is left running would hold them. */
function runnerWith(program: string): Run {
  return async (args, stdio = ['ignore', 'ignore', 'ignore']) => {
    const log = join(programs.folder, `log-${counter++}`)
    const words = ['--root', programs.keelson.stateRoot, '--log', log, '--criu', program, ...args]
    const child = spawn(programs.keelson.path, words, { stdio: [...stdio] })
    const [code] = (await once(child, 'exit')) as [number | null]
    return { code: code ?? -1, stderr: existsSync(log) ? readFileSync(log, 'utf8') : '' }
  }
}

let counter = 0
const nextId = () => `kt-criu-${process.pid}-${counter++}`

function counting(spec: Spec): Spec {
  return {
    ...spec,
    root: { path: 'rootfs' },
    linux: { ...spec.linux, resources: { pids: { limit: 50 } } },
  }
}

const script = 'i=0; while :; do i=$((i+1)); echo $i > /tmp/count; echo $i; sleep 0.02; done'
const counterBundle = () => makeBundle(busyboxSpec(['/bin/sh', '-c', script], counting))
const countOf = ({ rootfs }: Bundle) => Number(readFileSync(join(rootfs, 'tmp/count'), 'utf8')) || 0
const statusOf = async (id: string) => {
  const { code, stdout } = await programs.keelson.run(['state', id])
  return code === 0 ? (JSON.parse(stdout) as { status: string; pid: number }) : undefined
}
const above = (bundle: Bundle, count: number) =>
  eventually(
    'it counts on',
    () => (existsSync(join(bundle.rootfs, 'tmp/count')) && countOf(bundle) > count) || undefined,
    20_000,
  )

const groupsOf = (id: string) =>
  readdirSync('/sys/fs/cgroup').filter((name) => existsSync(join('/sys/fs/cgroup', name, id)))

criuTest('a counter, checkpointed and gone, restored under another id, counts on', async (t, run) => {
  using bundle = counterBundle()
  const [first, second] = [nextId(), nextId()]
  const images = join(bundle.path, 'images')
  t.teardown(async () => {
    for (const id of [first, second]) await programs.keelson.run(['delete', '--force', id])
  })
  t.like(await run(['run', '--detach', '--bundle', bundle.path, first]), { code: 0 })
  await above(bundle, 5)
  const saved = await run(['checkpoint', '--image-path', images, first])
  t.is(saved.code, 0, saved.stderr)
  t.is(await statusOf(first), undefined, 'it is gone, as with runc')
  t.deepEqual(groupsOf(first), [])
  const before = countOf(bundle)

  const pidFile = join(bundle.path, 'pid')
  const restore = ['restore', '--detach', '--image-path', images, '--bundle', bundle.path]
  const restored = await run([...restore, '--pid-file', pidFile, second])
  t.is(restored.code, 0, restored.stderr)
  const state = await statusOf(second)
  t.like(state, { status: 'running', pid: Number(readFileSync(pidFile, 'utf8')) })
  await above(bundle, before + 3)
  t.true(countOf(bundle) < before + 1000, 'not begun anew')
  for (const line of readFileSync(`/proc/${state?.pid}/cgroup`, 'utf8').trim().split('\n'))
    t.true(line.endsWith(`/${second}`), line)
  const inside = await programs.keelson.run([
    'exec',
    second,
    '/bin/sh',
    '-c',
    'cat /sys/fs/cgroup/pids/pids.max; ls /proc/1/fd',
  ])
  t.is(inside.code, 0, inside.stderr)
  t.false(readFileSync('/proc/self/mountinfo', 'utf8').includes(second), 'no mount is left on the host')
  t.is((await run([...restore, second])).code, 1, 'an id is taken only once')
  await programs.keelson.run(['kill', second, 'KILL'])
  await eventually(
    'it has ended',
    async () => (await statusOf(second))?.status === 'stopped' || undefined,
    20_000,
  )
  t.like(await programs.keelson.run(['delete', second]), { code: 0, stderr: '' }, 'like any other')
  t.deepEqual(groupsOf(second), [])
})

criuTest(
  'left running; in the foreground with its exit code; output to a file of the host',
  async (t, run) => {
    using bundle = counterBundle()
    const [first, second] = [nextId(), nextId()]
    const images = join(bundle.path, 'images')
    t.teardown(async () => {
      for (const id of [first, second]) await programs.keelson.run(['delete', '--force', id])
    })
    const output = openSync(join(bundle.path, 'output'), 'a')
    t.like(await run(['run', '--detach', '--bundle', bundle.path, first], ['ignore', output, 'ignore']), {
      code: 0,
    })
    closeSync(output)
    await above(bundle, 5)
    const saved = await run(['checkpoint', '--leave-running', '--image-path', images, first])
    t.is(saved.code, 0, saved.stderr)
    t.like(await statusOf(first), { status: 'running' })
    const before = countOf(bundle)
    await above(bundle, before)
    await programs.keelson.run(['kill', first, 'KILL'])

    const other = openSync(join(bundle.path, 'other'), 'a')
    const words = ['restore', '--image-path', images, '--bundle', bundle.path, second]
    const running = run(words, ['ignore', other, 'ignore'])
    closeSync(other)
    await eventually(
      'it is restored',
      async () => (await statusOf(second))?.status === 'running' || undefined,
      20_000,
    )
    await eventually(
      'it writes where it is told to now',
      () => readFileSync(join(bundle.path, 'other'), 'utf8').length > 9 || undefined,
    )
    await programs.keelson.run(['kill', second, 'KILL'])
    const { code, stderr } = await running
    t.is(code, 137, stderr)
    t.is(await statusOf(second), undefined)
    t.deepEqual(groupsOf(second), [])
  },
)

criuTest('what goes wrong in criu is told with its first error, and nothing is left', async (t, run) => {
  using bundle = counterBundle()
  const id = nextId()
  const empty = join(bundle.path, 'empty')
  const none = await run(['restore', '--image-path', empty, '--bundle', bundle.path, id])
  t.is(none.code, 1)
  t.regex(none.stderr, /holds no checkpoint/)
  t.false(existsSync(join(programs.keelson.stateRoot, id)))
  t.deepEqual(groupsOf(id), [])
})

busyboxTest('without criu: one line that says what to install, and the container goes on', async (t) => {
  using bundle = counterBundle()
  const id = nextId()
  const run = runnerWith('/no/such/criu')
  t.teardown(() => programs.keelson.run(['delete', '--force', id]))
  t.like(await run(['run', '--detach', '--bundle', bundle.path, id]), { code: 0 })
  const { code, stderr } = await run(['checkpoint', '--image-path', join(bundle.path, 'images'), id])
  t.is(code, 1)
  t.regex(stderr, /checkpoint: the program \/no\/such\/criu is not installed \(install criu[^\n]*\n$/)
  t.like(await statusOf(id), { status: 'running' })
  t.like(await run(['checkpoint', id.slice(1)]), { code: 1 })
  for (const [words, message] of [
    [['--manage-cgroups-mode', 'x'], /unknown --manage-cgroups-mode "x"/],
    [['--empty-ns', 'pid'], /unknown --empty-ns "pid"/],
    [['--page-server', 'here'], /ADDRESS:PORT/],
    [['--status-fd', 'x'], /--status-fd/],
  ] as const)
    t.regex((await run(['checkpoint', ...words, id])).stderr, message)
  // It writes into the bundle, which goes with this block.
  t.like(await run(['delete', '--force', id]), { code: 0 })
})
