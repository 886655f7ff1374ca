/** Hooks by the real command line: when, where and with what they run. */
import { chmodSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Hook, Hooks, Spec } from '../../src/oci/spec.ts'
import type { Bundle } from '../support/bundle.ts'
import { bundleWith, script } from '../support/hooked-bundle.ts'
import { type Program, runProgram } from '../support/oci-programs.ts'
import { ociTests } from '../support/oci-tests.ts'

const { programs, nextId, busyboxTest: hookTest } = ociTests('hooks')

const stages = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const
type Stage = (typeof stages)[number]

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
