/** Hooks by the real command line: when, where, with what, and what becomes of a container whose hook does not behave. */
import { chmodSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Hook, Hooks, Spec } from '../../src/oci/spec.ts'
import { type Bundle, busyboxSpec, hasBusybox, makeBundle } from '../support/bundle.ts'
import { ociPrograms, type Program, type Programs } from '../support/oci-programs.ts'
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
