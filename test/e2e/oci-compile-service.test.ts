/**
 * `create` decided by a running process: what comes of it is what a create in Node makes, field by field, and where
 * there is no such process, or none to be trusted, it is Node that creates.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Spec } from '../../src/oci/spec.ts'
import { type Bundle, busyboxSpec, makeBundle } from '../support/bundle.ts'
import { recordOf, serviceTests } from '../support/compile-service.ts'
import { eventually } from '../support/eventually.ts'
import { type Outcome, runProgram } from '../support/oci-programs.ts'

const { programs, nextId, service, serialTest, remove } = serviceTests('service')
const sleeper = busyboxSpec(['/bin/sleep', '1000'])

interface Made {
  outcome: Outcome
  record: Record<string, unknown>
  log: string
  output: string
}

/** Creates by one of the two ways, starts, and tells what there is. */
async function make(bundle: Bundle, by: 'service' | 'node', options: readonly string[] = []): Promise<Made> {
  const id = 'same'
  const log = join(bundle.path, 'log')
  const words = ['--log', log, '--log-format', 'json', 'create', '--bundle', bundle.path, ...options, id]
  try {
    const outcome =
      by === 'service'
        ? await programs.keelson.run(words, service().alone)
        : await programs.withoutFront.run(words)
    const record = existsSync(join(programs.keelson.stateRoot, id))
      ? recordOf(programs.keelson.stateRoot, id)
      : {}
    const started = outcome.code === 0 ? await programs.withoutFront.run(['start', id]) : outcome
    if (started.code === 0)
      await eventually('it has ended', async () => (await stateOf(id)).status === 'stopped')
    return { outcome, record, log: plain(log), output: plain(join(bundle.rootfs, 'out')) }
  } finally {
    await remove(id)
    for (const path of [log, join(bundle.rootfs, 'out')]) rmSync(path, { force: true })
  }
}

async function stateOf(id: string) {
  const { stdout } = await programs.keelson.run(['state', id])
  return JSON.parse(stdout === '' ? '{}' : stdout)
}

function plain(path: string): string {
  if (!existsSync(path)) return ''
  return readFileSync(path, 'utf8').replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
}

async function same(t: ExecutionContext, spec: Spec, options: readonly string[] = []): Promise<Made> {
  using bundle = makeBundle(spec)
  const node = await make(bundle, 'node', options)
  const front = await make(bundle, 'service', options)
  t.deepEqual(front, node)
  t.is(front.outcome.code, 0, front.outcome.stderr)
  return front
}

const view =
  '{ id; cat /proc/self/cgroup /proc/self/limits /proc/self/uid_map /proc/self/oom_score_adj; pwd; umask; ' +
  'ls /proc/self/fd; grep -E "^(Cap|Sig[^Q]|Seccomp|NoNew)" /proc/self/status; ' +
  'cut -d" " -f4- /proc/self/mountinfo; } >/out 2>&1'

const viewer = (change: (spec: Spec) => Spec) =>
  busyboxSpec(['/bin/sh', '-c', view], (spec) => change({ ...spec, root: { path: 'rootfs' } }))

const withProcess = (more: object) => (spec: Spec) =>
  ({ ...spec, process: { ...spec.process, ...more } }) as Spec
const withLinux = (more: object) => (spec: Spec) => ({ ...spec, linux: { ...spec.linux, ...more } }) as Spec
const withoutNetwork = ({ linux }: Spec) => (linux?.namespaces ?? []).filter(({ type }) => type !== 'network')

const variants: Readonly<Record<string, (spec: Spec) => Spec>> = {
  plain: (spec) => spec,
  annotated: (spec) => ({ ...spec, annotations: { 'a"b\n': 'ü', c: '' } }),
  'score and mask': withProcess({ oomScoreAdj: 300, user: { uid: 0, gid: 0, umask: 0o27 } }),
  'with a warning': withProcess({ capabilities: { bounding: ['CAP_KILL', 'CAP_NONSENSE'] } }),
  limited: withLinux({ cgroupsPath: '/kt-service-same', resources: { pids: { limit: 100 } } }),
  'in a namespace that is there': (spec) =>
    withLinux({ namespaces: [...withoutNetwork(spec), { type: 'network', path: '/proc/self/ns/net' }] })(
      spec,
    ),
}

for (const [name, change] of Object.entries(variants))
  serialTest(`a container is the same by either way, and so are its records: ${name}`, async (t) => {
    const { record, output, log } = await same(t, viewer(change))
    t.deepEqual(Object.keys(record).slice(0, 2), ['config.json', 'created'])
    t.regex(output, /uid=/)
    t.is(log.includes('CAP_NONSENSE'), name === 'with a warning')
  })

serialTest('the pid file, relative words, and descriptors of the caller', async (t) => {
  using bundle = makeBundle(viewer((spec) => spec))
  const id = nextId()
  const script = `exec 3<config.json 4</dev/null; umask 027; exec "${programs.keelson.path}" "$@"`
  const words = ['--root', 'state', 'create', '--pid-file', 'pid', '--preserve-fds', '2', '-b', '.', id]
  mkdirSync(join(bundle.path, 'state'), { recursive: true })
  await using _end = {
    async [Symbol.asyncDispose]() {
      await runProgram(programs.keelson.path, ['--root', join(bundle.path, 'state'), 'delete', '-f', id])
    },
  }
  const run = (args: string[]) =>
    runProgram('/bin/sh', ['-c', script, 'sh', ...args], { cwd: bundle.path, ...service().alone })
  t.like(await run(words), { code: 0, stderr: '' })
  const pid = readFileSync(join(bundle.path, 'pid'), 'utf8')
  t.regex(readFileSync(`/proc/${pid}/cmdline`, 'latin1'), /keelson-init/)
  t.like(await run(['--root', 'state', 'start', id]), { code: 0, stderr: '' })
  const out = join(bundle.rootfs, 'out')
  await eventually('it has ended', () => existsSync(out) && /^3$\n^4$/m.test(readFileSync(out, 'utf8')))
})

serialTest('what is refused or fails is told as by Node, and nothing stays', async (t) => {
  const hook = (args: string[]) => ({ hooks: { createRuntime: [{ path: '/bin/sh', args }] } })
  const poststop = { path: '/bin/sh', args: ['sh', '-c', 'cat >/dev/null; exit 3'] }
  const bad: unknown[] = [
    '{',
    { ociVersion: 'x' },
    { ...sleeper, root: { path: 'nowhere' } },
    withProcess({ terminal: true })(sleeper),
    withLinux({ namespaces: [{ type: 'mount' }, { type: 'network', path: '/dev/null' }] })(sleeper),
    withLinux({ cgroupsPath: '/../x' })(sleeper),
    withProcess({ rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1, hard: 1e12 }] })(sleeper),
    { ...sleeper, ...hook(['sh', '-c', 'echo no >&2; exit 7']) },
    { ...sleeper, hooks: { createRuntime: [{ path: '/nonexistent' }], poststop: [poststop] } },
    { ...sleeper, mounts: [...(sleeper.mounts ?? []), { destination: '/x', type: 'nonsense', source: 'x' }] },
  ]
  for (const config of bad) {
    using bundle = makeBundle(config)
    const words = [
      '--log',
      join(bundle.path, 'log'),
      '--log-format',
      'json',
      'create',
      '-b',
      bundle.path,
      'kt-bad',
    ]
    const told = async (run: typeof programs.keelson.run, env: { env?: Record<string, string> }) => {
      rmSync(join(bundle.path, 'log'), { force: true })
      const outcome = await run(words, env)
      return { outcome, log: plain(join(bundle.path, 'log')) }
    }
    const front = await told(programs.keelson.run, service())
    t.deepEqual(front, await told(programs.withoutFront.run, {}), JSON.stringify(config).slice(0, 300))
    t.is(front.outcome.code, 1)
    t.false(existsSync(join(programs.keelson.stateRoot, 'kt-bad')))
  }
})

serialTest('a pid file that cannot be written takes the container with it', async (t) => {
  using bundle = makeBundle(sleeper)
  const id = nextId()
  const words = ['create', '-b', bundle.path, '--pid-file', '/nonexistent/pid', id]
  const front = await programs.keelson.run(words, service())
  t.regex(front.stderr, /\/nonexistent\/pid/)
  t.is(
    front.stderr.replace(/\d+\.\d+\.tmp/, ''),
    (await programs.withoutFront.run(words)).stderr.replace(/\d+\.\d+\.tmp/, ''),
  )
  t.false(existsSync(join(programs.keelson.stateRoot, id)))
})

serialTest('signals while hooks hang have everything taken back, in the words of Node', async (t) => {
  const hook = { path: '/bin/sleep', args: ['sleep', '1000'] }
  using bundle = makeBundle({ ...sleeper, hooks: { createRuntime: [hook] } })
  const ended = async (env: Record<string, string>) => {
    const id = nextId()
    const words = ['--root', programs.keelson.stateRoot, 'create', '-b', bundle.path, id]
    const child = spawn(programs.keelson.path, words, { env, stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    await eventually('it has begun', () => existsSync(join(programs.keelson.stateRoot, id, 'pid')))
    child.kill('SIGTERM')
    await new Promise((resolve) => setTimeout(resolve, 100))
    child.kill('SIGINT')
    await eventually('it has ended', () => child.exitCode !== null || child.signalCode !== null)
    t.false(existsSync(join(programs.keelson.stateRoot, id)))
    return { said, code: child.exitCode }
  }
  const front = await ended(service().env)
  t.deepEqual(front, await ended({ ...service().env, KEELSON_OCI_SERVICE: '' }))
  t.is(front.code, 1)
})

serialTest('a second create of one id, and one in a group that is in use', async (t) => {
  using bundle = makeBundle(withLinux({ cgroupsPath: '/kt-service-once' })(sleeper))
  const [id, other] = [nextId(), nextId()]
  t.teardown(() => remove(id))
  t.like(await programs.keelson.run(['create', '-b', bundle.path, id], service().alone), {
    code: 0,
    stderr: '',
  })
  for (const again of [id, other]) {
    const words = ['create', '-b', bundle.path, again]
    const front = await programs.keelson.run(words, service())
    t.deepEqual(front, await programs.withoutFront.run(words))
    t.is(front.code, 1)
  }
})

const unshared = (flags: string[], script: string, words: readonly string[], env: Record<string, string>) =>
  runProgram(
    'unshare',
    [...flags, 'sh', '-c', `${script}; exec "$@"`, 'sh', programs.keelson.path, ...words],
    { env },
  )

serialTest('a caller in other namespaces gets what is right there', async (t) => {
  const places: [string, string[], string][] = [
    ['mounts that hide cgroups', ['--mount'], 'umount -l /sys/fs/cgroup/pids'],
    ['a cgroup namespace', ['--cgroup'], 'true'],
    ['another root of a hierarchy', ['--mount'], 'mount -t tmpfs none /sys/fs/cgroup/pids'],
  ]
  for (const [name, flags, script] of places) {
    using bundle = makeBundle(sleeper)
    const words = (id: string) => ['--root', programs.keelson.stateRoot, 'create', '-b', bundle.path, id]
    const ids = [nextId(), nextId()] as const
    t.teardown(async () => void (await Promise.all(ids.map(remove))))
    const front = await unshared(flags, script, words(ids[0]), service().env)
    const node = await unshared(flags, script, words(ids[1]), { ...service().env, KEELSON_OCI_SERVICE: '' })
    t.deepEqual(front, node, name)
    const groups = ids.map((id) => {
      const text = readFileSync(join(programs.keelson.stateRoot, id, 'state.json'), 'utf8')
      return JSON.parse(text).cgroup.leaves.map((leaf: string) => leaf.replace(id, 'ID'))
    })
    t.deepEqual(groups[0], groups[1], name)
  }
})

serialTest(
  'a front that is killed while it creates leaves nothing that delete --force does not take',
  async (t) => {
    using bundle = makeBundle(withLinux({ cgroupsPath: '/kt-service-killed' })(sleeper))
    for (const waitMs of [0, 1, 2, 3, 4, 6, 8, 10, 14, 20]) {
      const id = nextId()
      const child = spawn(
        programs.keelson.path,
        ['--root', programs.keelson.stateRoot, 'create', '-b', bundle.path, id],
        {
          stdio: 'ignore',
          ...service().alone,
        },
      )
      await new Promise((resolve) => setTimeout(resolve, waitMs))
      child.kill('SIGKILL')
      await eventually('it is gone', () => child.exitCode !== null || child.signalCode !== null)
      t.like(await remove(id), { code: 0, stderr: '' })
      t.false(existsSync(join(programs.keelson.stateRoot, id)))
      t.false(existsSync('/sys/fs/cgroup/pids/kt-service-killed'))
    }
  },
)
