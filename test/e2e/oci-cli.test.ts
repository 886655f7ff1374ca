/** The command line as its callers use it: the real program on ordinary bundles, beside runc where that is installed. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { startDriver } from '../../bench/frame/driver.ts'
import type { Spec } from '../../src/oci/spec.ts'
import { busyboxSpec, makeBundle } from '../support/bundle.ts'
import { eventually } from '../support/eventually.ts'
import { type Outcome, type Program, runProgram } from '../support/oci-programs.ts'
import { ociTests } from '../support/oci-tests.ts'

const { programs, nextId, busyboxTest } = ociTests('cli')

/** runc and crun of Debian 12 know versions up to 1.0.2. */
const spec = (args: string[], change: (spec: Spec) => Spec = (one) => one) =>
  busyboxSpec(args, (one) => change({ ...one, ociVersion: '1.0.2' }))
const shell = (script: string, change?: (spec: Spec) => Spec) => spec(['/bin/sh', '-c', script], change)

/** The same command to both; `same` picks what has to be equal. */
async function both(
  t: ExecutionContext,
  run: (program: Program) => Promise<Outcome>,
  same: (outcome: Outcome) => unknown = ({ code, stdout }) => ({ code, stdout }),
): Promise<Outcome> {
  const ours = await run(programs.keelson)
  if (programs.runc) t.deepEqual(same(ours), same(await run(programs.runc)), 'as runc')
  else t.log('runc is not installed: not compared')
  return ours
}

async function withContainer(
  program: Program,
  bundle: string,
  body: (id: string) => Promise<void>,
): Promise<void> {
  const id = nextId()
  try {
    const { code, stderr } = await program.run(['run', '--detach', '--bundle', bundle, id])
    if (code !== 0) throw new Error(stderr)
    await body(id)
  } finally {
    await program.run(['delete', '--force', id])
  }
}

busyboxTest(
  'create, start, state, kill, delete: the caller’s subreaper is the parent and sees the end',
  async (t) => {
    using bundle = makeBundle(
      shell('trap "exit 9" TERM; echo up > /tmp/up; while :; do sleep 0.05; done', writable),
    )
    await using driver = await startDriver()
    const { path, stateRoot, run } = programs.keelson
    const id = nextId()
    const pidFile = join(bundle.path, 'pid')
    const command = [path, '--root', stateRoot]
    t.teardown(() => run(['delete', '--force', id]))
    const state = async () => JSON.parse((await run(['state', id])).stdout)

    await driver.run([...command, 'create', '--bundle', bundle.path, '--pid-file', pidFile, id])
    const pid = Number(readFileSync(pidFile, 'utf8'))
    t.like(await state(), { id, status: 'created', pid, bundle: bundle.path })
    t.is(parentOf(pid), driver.pid, 'no process of ours is left between the container and its caller')
    t.false(existsSync(join(bundle.rootfs, 'tmp/up')))

    await driver.run([...command, 'start', id])
    t.like(await state(), { status: 'running', pid })
    await eventually('the program is up', () => existsSync(join(bundle.rootfs, 'tmp/up')) || undefined)
    t.deepEqual(JSON.parse((await run(['ps', '--format', 'json', id])).stdout).includes(pid), true)
    t.regex((await run(['ps', id])).stdout, /PID[\s\S]*trap/)
    t.like(await run(['start', id]), { code: 1 })
    t.like(await run(['delete', id]), { code: 1 })

    await driver.run([...command, 'kill', id, 'TERM'])
    t.is((await driver.reap(pid)).status, 9, 'the true exit code')
    t.like(await state(), { status: 'stopped', pid: 0 })
    t.like(await run(['delete', id]), { code: 0, stderr: '' })
    t.like(await run(['state', id]), { code: 1 })
    t.deepEqual(cgroupsOf(id), [])
  },
)

for (const [title, script, code] of [
  ['its exit code', 'exit 7', 7],
  ['success', 'echo out; echo err >&2', 0],
  ['death by signal', 'kill -9 $$', 0],
  ['its standard input', 'cat', 0],
] as const)
  busyboxTest(`run hands on ${title}`, async (t) => {
    // The first process of a pid namespace is immune to its own signals, so that one survives in both.
    using bundle = makeBundle(shell(script))
    const id = nextId()
    const outcome = await both(t, ({ run }) =>
      run(['run', '--bundle', bundle.path, id], { input: 'typed\n' }),
    )
    t.is(outcome.code, code)
    t.false(existsSync(join(programs.keelson.stateRoot, id)))
    t.deepEqual(cgroupsOf(id), [])
  })

busyboxTest('run ends with 128 + the signal that ended the container', async (t) => {
  using bundle = makeBundle(shell('sleep 100'))
  const outcome = await both(
    t,
    async (program) => {
      const id = nextId()
      const running = program.run(['run', '--bundle', bundle.path, id])
      // A kill between create and start would meet a container that only waits.
      await eventually(
        'it runs',
        async () => (await program.run(['state', id])).stdout.includes('"running"') || undefined,
        20_000, // every look is a start of Node, beside those of the other tests
      )
      await program.run(['kill', id, 'KILL'])
      return running
    },
    ({ code }) => code,
  )
  t.is(outcome.code, 137)
})

busyboxTest('exec: exit codes, environment, directory, user, input, as runc', async (t) => {
  using bundle = makeBundle(shell('sleep 100'))
  for (const program of [programs.keelson, ...(programs.runc ? [programs.runc] : [])])
    await withContainer(program, bundle.path, async (id) => {
      const exec = (...args: string[]) => program.run(['exec', ...args], { input: 'in' })
      t.like(await exec(id, '/bin/sh', '-c', 'exit 3'), { code: 3 }, program.name)
      t.like(await exec('--env', 'A=b c', '--cwd', '/tmp', id, '/bin/sh', '-c', 'echo "$A"; pwd; cat'), {
        code: 0,
        stdout: 'b c\n/tmp\nin',
      })
      t.regex((await exec('--user', '1000:1001', id, '/bin/id')).stdout, /uid=1000 gid=1001/)
      t.like(await exec(id, '/bin/sh', '-c', 'kill -9 $$'), { code: 137 })
      t.like(await exec(id, '/no/such/program'), { code: 255 }, program.name)
      t.like(await exec('--user', 'nobody', id, '/bin/true'), { code: 255 }, program.name)
    })
  t.like(await programs.keelson.run(['exec', nextId(), '/bin/true']), { code: 255 })
})

busyboxTest('exec --detach leaves the process to the caller', async (t) => {
  using bundle = makeBundle(shell('sleep 100'))
  await using driver = await startDriver()
  await withContainer(programs.keelson, bundle.path, async (id) => {
    const pidFile = join(bundle.path, 'exec.pid')
    const command = [programs.keelson.path, '--root', programs.keelson.stateRoot, 'exec', '--detach']
    await driver.run([...command, '--pid-file', pidFile, id, '/bin/sh', '-c', 'sleep 0.2; exit 5'])
    const pid = Number(readFileSync(pidFile, 'utf8'))
    t.is(parentOf(pid), driver.pid)
    t.is((await driver.reap(pid)).status, 5)
  })
})

busyboxTest('pause and resume', async (t) => {
  using bundle = makeBundle(shell('sleep 100'))
  await withContainer(programs.keelson, bundle.path, async (id) => {
    const { run } = programs.keelson
    const status = async () => JSON.parse((await run(['state', id])).stdout).status
    t.like(await run(['pause', id]), { code: 0, stderr: '' })
    t.is(await status(), 'paused')
    t.like(await run(['exec', id, '/bin/true']), { code: 255 })
    t.like(await run(['resume', id]), { code: 0, stderr: '' })
    t.is(await status(), 'running')
    t.like(await run(['resume', id]), { code: 1 })
  })
})

busyboxTest('list: table, json, quiet', async (t) => {
  using bundle = makeBundle(shell('sleep 100'))
  await withContainer(programs.keelson, bundle.path, async (id) => {
    const { run } = programs.keelson
    t.regex(
      (await run(['list'])).stdout,
      new RegExp(`^ID +PID +STATUS +BUNDLE +CREATED +OWNER\\n[^]*${id} +\\d+ +running`),
    )
    const rows = JSON.parse((await run(['list', '--format', 'json'])).stdout) as { id: string }[]
    t.true(rows.some((row) => row.id === id))
    t.true((await run(['list', '-q'])).stdout.split('\n').includes(id))
  })
  t.like(
    await runProgram(programs.keelson.path, ['--root', join(bundle.path, 'none'), 'list', '-f', 'json']),
    {
      code: 0,
      stdout: 'null\n',
    },
  )
})

busyboxTest('delete --force of what is not there is fine, delete is not: as runc', async (t) => {
  const code = ({ code }: Outcome) => code
  t.is((await both(t, ({ run }) => run(['delete', '--force', 'nobody']), code)).code, 0)
  t.is((await both(t, ({ run }) => run(['delete', 'nobody']), code)).code, 1)
  t.is((await both(t, ({ run }) => run(['kill', 'nobody', 'KILL']), code)).code, 1)
  t.is((await both(t, ({ run }) => run(['state', 'nobody']), code)).code, 1)
})

/** What is wrong, the bundle, and what the one line must name. */
const refusals: [what: string, spec: unknown, named: RegExp][] = [
  [
    'an unknown namespace type',
    shell('true', namespaces('dream')),
    /linux\.namespaces\[0\]\.type.*"dream".*pid/,
  ],
  [
    'a relative rootfs that leaves the bundle',
    shell('true', root('../rootfs')),
    /root\.path.*\.\.\/rootfs.*absolute/,
  ],
  [
    'a relative rootfs that is not there',
    shell('true', root('elsewhere')),
    /root\.path.*elsewhere.*absolute/,
  ],
  ['a missing binary', spec(['/no/such/binary']), /\/no\/such\/binary/],
  ['a binary that PATH does not have', spec(['nosuchbinary']), /nosuchbinary/],
  ['a file that is not executable', spec(['/etc/passwd']), /\/etc\/passwd/],
  ['no args', spec([]), /process\.args/],
  ['a missing process', { ...shell('true'), process: undefined }, /process/],
  ['bad ids', shell('true', user(-5)), /process\.user\.uid.*-5/],
  ['no JSON', '{"ociVersion":', /config\.json.*not JSON/],
]

for (const [what, config, named] of refusals)
  for (const verb of ['run', 'create'])
    busyboxTest(`${verb} refuses ${what} in one line and leaves nothing behind`, async (t) => {
      using bundle = makeBundle(config)
      const id = nextId()
      const { code, stderr } = await programs.keelson.run([verb, '--bundle', bundle.path, id])
      t.is(code, 1)
      t.regex(stderr, new RegExp(`^keelson-oci: ${verb}: [^\\n]+\\n$`))
      t.regex(stderr, named)
      t.false(existsSync(join(programs.keelson.stateRoot, id)))
      t.deepEqual(cgroupsOf(id), [])
      if (programs.runc && !/leaves the bundle/.test(what)) {
        const theirs = await programs.runc.run([verb, '--bundle', bundle.path, id])
        t.is(theirs.code, 1, `runc: ${theirs.stderr}`)
        await programs.runc.run(['delete', '--force', id])
      }
    })

busyboxTest('an id that is taken, or is none', async (t) => {
  using bundle = makeBundle(shell('sleep 100'))
  await withContainer(programs.keelson, bundle.path, async (id) => {
    const again = await programs.keelson.run(['create', '--bundle', bundle.path, id])
    t.is(again.code, 1)
    t.regex(again.stderr, new RegExp(`^keelson-oci: create: [^\\n]*${id}[^\\n]*\\n$`))
    t.is(JSON.parse((await programs.keelson.run(['state', id])).stdout).status, 'running')
  })
  t.regex((await programs.keelson.run(['create', '--bundle', bundle.path, '../x'])).stderr, /"\.\.\/x"/)
})

busyboxTest('without root it says so', async (t) => {
  if (!openToAll(programs.folder)) {
    t.log('not shown: the checkout lies below a directory closed to others')
    t.pass()
    return
  }

  using bundle = makeBundle(shell('true'))
  const { code, stderr } = await programs.keelson.run(['run', '--bundle', bundle.path, nextId()], {
    uid: 65534,
  })
  if (/EACCES|not found|Permission denied|not built/.test(stderr))
    return void t.pass('the checkout is closed to others')
  t.is(code, 1)
  t.regex(stderr, /^keelson-oci: run: needs root, not uid 65534[^\n]+\n$/)
})

busyboxTest('a refused terminal: detached without a socket, a socket without a terminal', async (t) => {
  using bundle = makeBundle(
    shell('true', (one) => ({ ...one, process: { cwd: '/', ...one.process, terminal: true } })),
  )
  const outcome = await both(
    t,
    ({ run }) => run(['create', '--bundle', bundle.path, nextId()]),
    ({ code }) => code,
  )
  t.regex(outcome.stderr, /--console-socket/)
  using plain = makeBundle(shell('true'))
  const other = await programs.keelson.run([
    'create',
    '--console-socket',
    '/tmp/x',
    '--bundle',
    plain.path,
    nextId(),
  ])
  t.regex(other.stderr, /--console-socket/)
})

test('--log FILE --log-format json: the last error line carries msg, level and time', async (t) => {
  const log = join(programs.folder, 'log.json')
  const { code, stderr } = await programs.keelson.run([
    '--log',
    log,
    '--log-format',
    'json',
    'state',
    'nobody',
  ])
  t.is(code, 1)
  const line = JSON.parse(readFileSync(log, 'utf8').trim().split('\n').at(-1) ?? '')
  t.like(line, { level: 'error', code: 'NOT_FOUND' })
  t.regex(line.msg, /nobody/)
  t.false(Number.isNaN(Date.parse(line.time)))
  t.is(stderr, `keelson-oci: ${line.msg}\n`)
})

test('--version has three lines, features and spec are JSON', async (t) => {
  const { run, path } = programs.keelson
  t.regex(
    (await runProgram(path, ['--version'])).stdout,
    /^keelson-oci version \d\S+\ncommit: \S+\nspec: 1\.\d+\.\d+\n$/,
  )
  t.like(JSON.parse((await run(['features'])).stdout), { linux: { seccomp: { enabled: true } } })
  const folder = join(programs.folder, 'spec')
  mkdirSync(folder)
  t.like(await run(['spec', '--bundle', folder]), { code: 0, stdout: '', stderr: '' })
  t.is(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')).process.args[0], 'sh')
  t.like(await run(['spec'], { cwd: folder }), { code: 1 })
  t.regex((await run(['frobnicate'])).stderr, /^keelson-oci: frobnicate: there is no such command[^\n]+\n$/)
})

busyboxTest('the systemd driver without a message bus is one line and leaves nothing', async (t) => {
  const env = { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nowhere/bus' }
  using bundle = makeBundle(spec(['/bin/true']))
  const id = nextId()
  const { run } = programs.keelson
  const { code, stderr } = await run(['--systemd-cgroup', 'run', '--bundle', bundle.path, id], { env })
  t.is(code, 1)
  t.regex(stderr, /^keelson-oci: run: [^\n]*\/nowhere\/bus[^\n]*\n$/)
  t.like(await run(['state', id]), { code: 1 })
})

test('the launcher works through symbolic links and drops every NODE_ variable', async (t) => {
  const link = join(programs.folder, 'link')
  const second = join(programs.folder, 'bin/second')
  symlinkSync('keelson-oci', second)
  symlinkSync(second, link)
  t.teardown(() => rmSync(link))
  const env = { NODE_OPTIONS: '--no-such-option', NODE_PATH: '/x', OTHER: 'a\nexport NODE_FAKE=1' }
  t.like(await runProgram(link, ['--version'], { env, cwd: '/' }), { code: 0, stderr: '' })
})

function writable(one: Spec): Spec {
  return { ...one, root: { path: 'rootfs', readonly: false } }
}

function namespaces(type: string) {
  return (one: Spec): Spec => ({ ...one, linux: { ...one.linux, namespaces: [{ type }] } })
}

function root(path: string) {
  return (one: Spec): Spec => ({ ...one, root: { path } })
}

function user(uid: number) {
  return (one: Spec): Spec => ({ ...one, process: { cwd: '/', ...one.process, user: { uid, gid: 0 } } })
}

/** Whether another user gets as far as this folder. */
function openToAll(path: string): boolean {
  return (statSync(path).mode & 1) === 1 && (path === '/' || openToAll(dirname(path)))
}

function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
}

/** Groups named after the container, in every hierarchy. */
function cgroupsOf(id: string): string[] {
  const top = '/sys/fs/cgroup'
  return readdirSync(top).flatMap((hierarchy) =>
    ['', 'keelson-oci'].map((parent) => join(top, hierarchy, parent, id)).filter((path) => existsSync(path)),
  )
}
