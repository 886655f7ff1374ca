/** Hooks by the real command line: when, where, with what, and what becomes of a container whose hook does not behave. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Hook, Hooks, Spec } from '../../src/oci/spec.ts'
import { type Bundle, busyboxSpec, hasBusybox, makeBundle } from '../support/bundle.ts'
import { eventually } from '../support/eventually.ts'
import { ociPrograms, type Program, type Programs, runProgram } from '../support/oci-programs.ts'
import { rootTest } from '../support/root.ts'

let programs: Programs
test.before(async () => {
  programs = await ociPrograms()
})
test.after.always(async () => {
  await programs?.[Symbol.asyncDispose]()
})

let counter = 0
const nextId = () => `kt-hooks-${process.pid}-${counter++}`

const hookTest = (title: string, body: (t: ExecutionContext) => Promise<void>) =>
  hasBusybox ? rootTest(title, body) : test.skip(`${title} (needs busybox-static)`, body)

const stages = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const
type Stage = (typeof stages)[number]

/** A shell script as a hook; inside of the container the shell is busybox's, at the same path. */
const script = (text: string, more: Partial<Hook> = {}): Hook => ({
  path: '/bin/sh',
  args: ['sh', '-c', text],
  ...more,
})

function bundleWith(
  hooks: (bundle: { path: string }) => Hooks,
  change: (spec: Spec) => Spec = (one) => one,
): Bundle {
  const bundle = makeBundle({})
  const spec = busyboxSpec(['/bin/sh', '-c', 'echo program'], (one) =>
    change({ ...one, ociVersion: '1.0.2' }),
  )
  writeFileSync(join(bundle.path, 'config.json'), JSON.stringify({ ...spec, hooks: hooks(bundle) }))
  // Where hooks of both sides write to: /out in the container.
  mkdirSync(join(bundle.path, 'out'))
  chmodSync(join(bundle.path, 'out'), 0o777)
  mkdirSync(join(bundle.rootfs, 'out'))
  return bundle
}

const withOut = (spec: Spec): Spec => ({
  ...spec,
  mounts: [
    ...(spec.mounts ?? []),
    { destination: '/out', type: 'bind', source: 'out', options: ['bind', 'rw'] },
  ],
  annotations: { 'org.example.number': '1', plain: '"quoted"' },
})

interface Seen {
  stage: string
  state: Record<string, unknown>
  directory: string
  mountNamespace: string
  environment: string
}

/** What a hook of each stage tells of itself, as lines of one file. */
const reporter = (stage: Stage, out: string): Hook =>
  script(
    `d=$(pwd)
     echo "{\\"stage\\":\\"${stage}\\",\\"state\\":$(cat),\\"directory\\":\\"$d\\",\\"mountNamespace\\":\\"$(readlink /proc/self/ns/mnt)\\",\\"environment\\":\\"$(cat /proc/self/environ | tr '\\0' ' ')\\"}" >> ${out}/seen`,
    { env: [`PATH=/bin:/usr/bin`, `STAGE=${stage}`] },
  )

function reporting(bundle: { path: string }): Hooks {
  const out = (stage: Stage) => (stage === 'startContainer' ? '/out' : join(bundle.path, 'out'))
  return Object.fromEntries(stages.map((stage) => [stage, [reporter(stage, out(stage))]]))
}

const seenIn = (bundle: Bundle): Seen[] =>
  readFileSync(join(bundle.path, 'out/seen'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

async function live(program: Program, bundle: Bundle): Promise<{ seen: Seen[]; id: string }> {
  const id = nextId()
  for (const args of [
    ['create', '--bundle', bundle.path, id],
    ['start', id],
  ]) {
    const { code, stderr } = await program.run(args, { cwd: bundle.path })
    if (code !== 0) throw new Error(`${program.name} ${args[0]}: ${stderr}`)
  }
  await program.run(['delete', '--force', id], { cwd: bundle.path })
  return { seen: seenIn(bundle), id }
}

hookTest(
  'all six: their order, state, directory, environment and namespaces are as runc has them',
  async (t) => {
    const run = async (program: Program) => {
      using bundle = bundleWith(reporting)
      const config = JSON.parse(readFileSync(join(bundle.path, 'config.json'), 'utf8'))
      writeFileSync(join(bundle.path, 'config.json'), JSON.stringify(withOut(config)))
      const { seen, id } = await live(program, bundle)
      const host = readlinkSync('/proc/self/ns/mnt')
      return seen.map(({ stage, state, directory, mountNamespace, environment }) => ({
        stage,
        status: state['status'],
        id: state['id'] === id,
        bundle: state['bundle'] === bundle.path,
        annotations: state['annotations'],
        pid: state['pid'] === undefined ? 'none' : state['pid'] === 1 ? 'first' : 'host',
        directory: directory.replace(bundle.path, '<bundle>'),
        inRuntime: mountNamespace === host,
        environment,
      }))
    }
    const ours = await run(programs.keelson)
    const expected = [
      ['prestart', 'creating', 'host', '<bundle>', true],
      ['createRuntime', 'creating', 'host', '<bundle>', true],
      ['createContainer', 'creating', 'first', '<bundle>/rootfs', false],
      ['startContainer', 'created', 'first', '/', false],
      ['poststart', 'running', 'host', '<bundle>', true],
      ['poststop', 'stopped', 'none', '<bundle>', true],
    ]
    t.deepEqual(
      ours.map(({ stage, status, pid, directory, inRuntime }) => [stage, status, pid, directory, inRuntime]),
      expected,
    )
    for (const { id, bundle, stage, environment } of ours) {
      t.true(id && bundle, stage)
      t.regex(environment, new RegExp(`PATH=/bin:/usr/bin.*STAGE=${stage}`))
    }
    if (!programs.runc) return t.log('runc is not installed: not compared')
    const theirs = await run(programs.runc)
    // 1.1 runs poststart before the program, which was an error of its own.
    const comparable = (list: typeof ours) =>
      list.filter(({ stage }) => stage !== 'poststart').map((one) => ({ ...one, environment: '' }))
    t.deepEqual(comparable(ours), comparable(theirs), 'as runc')
  },
)

hookTest(
  'in a user namespace those of the runtime stay outside, and those of the container are in it',
  async (t) => {
    const mapped = (spec: Spec): Spec => ({
      ...spec,
      linux: {
        ...spec.linux,
        namespaces: [...(spec.linux?.namespaces ?? []), { type: 'user' }],
        uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
        gidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
      },
    })
    const look = (stage: Stage, out: string) =>
      script(`echo ${stage} $(cat /proc/self/uid_map) >> ${out}/seen; chmod 666 ${out}/seen; true`, {
        env: ['PATH=/bin:/usr/bin'],
      })
    using bundle = bundleWith(
      ({ path }) =>
        Object.fromEntries(
          stages.map((stage) => [stage, [look(stage, stage === 'startContainer' ? '/out' : `${path}/out`)]]),
        ),
      (spec) => withOut(mapped(spec)),
    )
    chmodSync(bundle.path, 0o755)
    const outcome = await programs.keelson.run(['run', '--bundle', bundle.path, nextId()])
    t.deepEqual([outcome.code, outcome.stdout], [0, 'program\n'], outcome.stderr)
    const outside = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/).join(' ')
    t.deepEqual(
      readFileSync(join(bundle.path, 'out/seen'), 'utf8').trim().split('\n'),
      stages.map((stage) => `${stage} ${stage.endsWith('Container') ? '0 100000 65536' : outside}`),
    )
  },
)

/** What of a container could still be there: its directory, its cgroups, its mounts. */
function leftovers(program: Program, bundle: Bundle, id: string): string[] {
  // Others make and remove groups meanwhile, which find complains about.
  const groups = spawnSync('find', ['/sys/fs/cgroup', '-name', id, '-type', 'd'], { encoding: 'utf8' }).stdout
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  return [
    ...(existsSync(join(program.stateRoot, id)) ? ['its state'] : []),
    ...groups.split('\n').filter((line) => line !== ''),
    ...mounts.filter((line) => line.includes(bundle.path) || line.includes(id)),
  ]
}

/** Nobody else's: tests run at the same time. */
let sleeps = 0
const uniqueSleep = () => `sleep ${100_000_000 + process.pid * 100 + sleeps++}`

interface Failing {
  hook: Hook
  /** After the JSON path of the hook. */
  message: RegExp
}

const failing = (sleep: string): Readonly<Record<string, Failing>> => ({
  'fails, with the end of what it said': {
    hook: script('echo out; echo why >&2; exit 3'),
    message: /\/bin\/sh: exit status 3: why\n$/,
  },
  'is killed': { hook: script('kill -9 $$'), message: /\/bin\/sh: ended by signal 9\n$/ },
  hangs: {
    hook: script(`echo begun >&2; ${sleep} & ${sleep}`, { timeout: 1 }),
    message: /\/bin\/sh: no end within its 1 s, so it was killed: begun\n$/,
  },
  'does not exist': {
    hook: { path: '/no/such' },
    message: /exec "\/no\/such": no such file or directory\n$/,
  },
  'is a directory': { hook: { path: '/bin' }, message: /exec "\/bin": is a directory\n$/ },
  'floods standard error': {
    hook: script('yes flood >&2', { timeout: 1 }),
    message: /killed: (o?o?d|l?ood)?(\\n| |flood)*/,
  },
})

for (const stage of ['prestart', 'createRuntime', 'createContainer'] as const)
  hookTest(
    `a ${stage} hook that does not behave fails create, and nothing is left but poststop`,
    async (t) => {
      const sleep = uniqueSleep()
      for (const [what, { hook, message }] of Object.entries(failing(sleep))) {
        using bundle = bundleWith(({ path }) => ({
          [stage]: [script('exit 0'), hook],
          poststop: [script(`cat > ${path}/out/ended`)],
        }))
        const id = nextId()
        const { code, stderr } = await programs.keelson.run(['create', '--bundle', bundle.path, id])
        t.is(code, 1, what)
        t.true(
          stderr.startsWith(`keelson-oci: create: hooks.${stage}[1]: `),
          `${what}: ${stderr.slice(0, 200)}`,
        )
        t.regex(stderr, message, what)
        t.true(stderr.length < 4000 && stderr.split('\n').length === 2, 'one line, bounded')
        t.deepEqual(leftovers(programs.keelson, bundle, id), [], what)
        t.is(JSON.parse(readFileSync(join(bundle.path, 'out/ended'), 'utf8')).status, 'stopped')
      }
      t.deepEqual(processesNamed(sleep), [], 'what a hook started ends with it')
    },
  )

hookTest('hooks that are rude but end well do no harm', async (t) => {
  const rude = [
    script('exec <&-; exit 0'), // closes its standard input at once
    script('yes | head -c 30000000'), // floods standard output
    script('head -c 3000000 /dev/zero >&2'),
    script('setsid sleep 1 & exit 0'), // leaves somebody behind with its descriptors
  ]
  using bundle = bundleWith(() => ({
    createRuntime: rude,
    createContainer: rude,
    poststart: rude,
    poststop: rude,
  }))
  const { code, stdout, stderr } = await programs.keelson.run(['run', '--bundle', bundle.path, nextId()])
  t.deepEqual([code, stdout, stderr], [0, 'program\n', ''])
})

hookTest('a hook that kills its parent fails create, and nothing is left', async (t) => {
  const sleep = uniqueSleep()
  for (const stage of ['prestart', 'createRuntime'] as const) {
    using bundle = bundleWith(() => ({ [stage]: [script(`kill -9 $PPID; exec ${sleep}`)] }))
    const id = nextId()
    const { code, stderr } = await programs.keelson.run(['create', '--bundle', bundle.path, id])
    t.is(code, 1)
    t.regex(stderr, /^keelson-oci: create: .*keelson-init ended without an answer\n$/)
    await eventually('nothing is left', async () => leftovers(programs.keelson, bundle, id).length === 0)
  }
  // In the container its parent is the init of a pid namespace, which the kernel protects from its own.
  using bundle = bundleWith(() => ({ createContainer: [script('kill -9 $PPID; exit 0')] }))
  t.is((await programs.keelson.run(['run', '--bundle', bundle.path, nextId()])).code, 0)
  t.deepEqual(processesNamed(sleep), [])
})

hookTest('a startContainer hook that fails ends the container, and the program never runs', async (t) => {
  for (const [what, { hook, message }] of Object.entries(failing(uniqueSleep()))) {
    using bundle = bundleWith(() => ({ startContainer: [hook] }))
    const id = nextId()
    await programs.keelson.run(['create', '--bundle', bundle.path, id])
    const { code, stderr, stdout } = await programs.keelson.run(['start', id])
    t.deepEqual([code, stdout], [1, ''], what)
    t.true(
      stderr.startsWith('keelson-oci: start: hooks.startContainer[0]: '),
      `${what}: ${stderr.slice(0, 200)}`,
    )
    t.regex(stderr, message, what)
    const { status } = JSON.parse((await programs.keelson.run(['state', id])).stdout)
    t.is(status, 'stopped', what)
    t.is((await programs.keelson.run(['delete', id])).code, 0)
    t.deepEqual(leftovers(programs.keelson, bundle, id), [], what)
  }
})

hookTest(
  'a poststart hook that fails fails start and ends the container; one of poststop is a warning',
  async (t) => {
    for (const pid of [true, false]) {
      const sleep = uniqueSleep()
      const shared = (spec: Spec): Spec => ({
        ...spec,
        process: { cwd: '/', ...spec.process, args: ['/bin/sh', '-c', `${sleep} & ${sleep}`] },
        linux: {
          ...spec.linux,
          namespaces: spec.linux?.namespaces?.filter(({ type }) => pid || type !== 'pid') ?? [],
        },
      })
      using bundle = bundleWith(
        ({ path }) => ({
          poststart: [script('exit 0'), script('echo no >&2; exit 4'), script(`touch ${path}/out/third`)],
          poststop: [script('exit 5'), script(`touch ${path}/out/second`)],
        }),
        shared,
      )
      const id = nextId()
      await programs.keelson.run(['create', '--bundle', bundle.path, id])
      const { code, stderr } = await programs.keelson.run(['start', id])
      t.is(code, 1)
      t.is(stderr, 'keelson-oci: start: hooks.poststart[1]: /bin/sh: exit status 4: no\n')
      t.false(existsSync(join(bundle.path, 'out/third')))
      t.is(JSON.parse((await programs.keelson.run(['state', id])).stdout).status, 'stopped')
      t.deepEqual(processesNamed(sleep), [], 'all of it has ended')
      const deleted = await programs.keelson.run(['delete', id])
      t.is(deleted.code, 0)
      t.regex(deleted.stderr, /hooks\.poststop\[0\]: \/bin\/sh: exit status 5/)
      t.true(existsSync(join(bundle.path, 'out/second')))
      t.deepEqual(leftovers(programs.keelson, bundle, id), [])
    }
  },
)

function processesNamed(command: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() === command
      } catch {
        return false
      }
    })
}

hookTest(
  'hooks start clean: the caller’s limits and umask, default signals, no descriptor of ours',
  async (t) => {
    const look = (out: string) =>
      script(
        `exec 2>&1; { ulimit -n; umask; grep -E "^Sig(Blk|Ign)" /proc/self/status; ls /proc/self/fd | wc -l; } >> ${out}/looked; cat > /dev/null`,
        { env: ['PATH=/bin:/usr/bin'] },
      )
    const expected = (umask: string) =>
      `300\n${umask}\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n4\n`
    using bundle = bundleWith(
      ({ path }) => ({
        createRuntime: [look(join(path, 'out'))],
        createContainer: [look(join(path, 'out'))],
        poststart: [look(join(path, 'out'))],
        poststop: [look(join(path, 'out'))],
      }),
      (spec) => ({ ...spec, process: { cwd: '/', ...spec.process, rlimits: [] } }),
    )
    const limits = 'ulimit -S -n 300; umask 027; trap "" USR1; exec 7</dev/null; exec "$0" "$@"'
    const id = nextId()
    const words = [
      programs.keelson.path,
      '--root',
      programs.keelson.stateRoot,
      'run',
      '--bundle',
      bundle.path,
      id,
    ]
    const outcome = await runProgram('/bin/sh', ['-c', limits, ...words])
    t.is(outcome.code, 0, outcome.stderr)
    t.is(readFileSync(join(bundle.path, 'out/looked'), 'utf8'), expected('0027').repeat(4))
  },
)

hookTest('startContainer hooks run as the container’s user, whatever loads the filter', async (t) => {
  for (const noNewPrivileges of [true, false]) {
    using bundle = bundleWith(
      () => ({
        startContainer: [
          script('id -u; id -g; grep CapEff /proc/self/status; umask; exit 1'.replaceAll(';', ' >&2;')),
        ],
      }),
      (spec) => ({
        ...spec,
        process: {
          cwd: '/',
          ...spec.process,
          noNewPrivileges,
          user: { uid: 1000, gid: 1001, umask: 0o77 },
          capabilities: { bounding: ['CAP_KILL'], effective: [], permitted: [] },
        },
        linux: { ...spec.linux, seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } },
      }),
    )
    const id = nextId()
    await programs.keelson.run(['create', '--bundle', bundle.path, id])
    const { stderr } = await programs.keelson.run(['start', id])
    t.regex(stderr, /exit status 1: 1000 1001 CapEff:\s0000000000000000 0077/, String(noNewPrivileges))
    await programs.keelson.run(['delete', '--force', id])
  }
})

hookTest(
  'run.oci.hooks.stdout and stderr: files that the output is appended to, and the error still tells',
  async (t) => {
    using bundle = bundleWith(
      ({ path }) => ({
        createRuntime: [script('echo out1; echo err1 >&2')],
        createContainer: [script('echo out2; echo err2 >&2')],
        startContainer: [script('echo out3; echo err3 >&2')],
        poststart: [script(`echo out4; echo err4 >&2; cat ${path}/out.log > /dev/null; exit 1`)],
      }),
      (spec) => ({
        ...spec,
        annotations: { 'run.oci.hooks.stdout': 'out.log', 'run.oci.hooks.stderr': 'err.log' },
      }),
    )
    writeFileSync(join(bundle.path, 'err.log'), 'before\n')
    const outcome = await programs.keelson.run(['run', '--bundle', bundle.path, nextId()])
    t.is(outcome.code, 1)
    t.is(readFileSync(join(bundle.path, 'out.log'), 'utf8'), 'out1\nout2\nout3\nout4\n')
    t.is(readFileSync(join(bundle.path, 'err.log'), 'utf8'), 'before\nerr1\nerr2\nerr3\nerr4\n')
    t.regex(outcome.stderr, /hooks\.poststart\[0\]: .*: exit status 1: err4\n$/)
  },
)

hookTest(
  'a read-only root can be written by hooks until it is entered, and what they mount is in it',
  async (t) => {
    using bundle = bundleWith(
      ({ path }) => ({
        createContainer: [
          script(
            `echo hooked > ${path}/rootfs/etc/hooked; mount -t tmpfs none ${path}/rootfs/out; echo in > ${path}/rootfs/out/mounted`,
            {
              env: ['PATH=/bin:/usr/bin:/sbin'],
            },
          ),
        ],
      }),
      (spec) => ({
        ...spec,
        root: { path: 'rootfs', readonly: true },
        process: {
          cwd: '/',
          ...spec.process,
          args: ['/bin/sh', '-c', 'cat /etc/hooked /out/mounted; touch /etc/no'],
        },
      }),
    )
    const outcome = await programs.keelson.run(['run', '--bundle', bundle.path, nextId()])
    t.is(outcome.stdout, 'hooked\nin\n', outcome.stderr)
    t.regex(outcome.stderr, /Read-only file system/)
    t.deepEqual(readdirSync(join(bundle.rootfs, 'out')), [], 'not on the host')
  },
)
