/** How a program is scheduled, where its memory comes from, what it is called: seen from inside, by init and by execs. */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { Process, Spec } from '../../src/oci/index.ts'
import { busyboxSpec, makeBundle } from '../support/bundle.ts'
import { execContained, idleContainer, runContained } from '../support/contained.ts'
import { containerStage, plainSpec } from '../support/container.ts'
import { runProgram } from '../support/oci-programs.ts'
import { ociTests } from '../support/oci-tests.ts'
import { rootTest } from '../support/root.ts'

const { programs, busyboxTest } = ociTests('attributes')

type Changed = Required<Pick<Spec, 'process' | 'linux'>> & Spec

/** Fields of /proc/PID/stat from the third on, after the name in brackets. */
function statFields(line: string) {
  const fields = line
    .slice(line.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const at = (field: number) => fields[field - 3]
  return { nice: at(19), realTimePriority: at(40), policy: at(41) }
}

const scheduled: [title: string, scheduler: Process['scheduler'], seen: object][] = [
  ['SCHED_FIFO', { policy: 'SCHED_FIFO', priority: 7 }, { policy: 1, realTimePriority: 7 }],
  [
    'SCHED_RR, reset on fork',
    { policy: 'SCHED_RR', priority: 3, flags: ['SCHED_FLAG_RESET_ON_FORK'] },
    { policy: 2, realTimePriority: 3 },
  ],
  ['SCHED_BATCH with a nice value', { policy: 'SCHED_BATCH', nice: 11 }, { policy: 3, nice: 11 }],
  ['SCHED_OTHER, nicer to itself', { policy: 'SCHED_OTHER', nice: -5 }, { policy: 0, nice: -5 }],
  ['SCHED_IDLE', { policy: 'SCHED_IDLE' }, { policy: 5 }],
  [
    'SCHED_DEADLINE',
    { policy: 'SCHED_DEADLINE', runtime: 1_000_000, deadline: 5_000_000, period: 10_000_000 },
    { policy: 6 },
  ],
]

rootTest('scheduler: every policy is the one that the program runs under, also of an exec', async (t) => {
  await using stage = await containerStage('sched')
  await using idle = await idleContainer(
    stage,
    'idle',
    plainSpec(['sleep', '100'], (spec) => withRealTimeShare(spec, 'idle')),
  )
  for (const [index, [title, scheduler, seen]] of scheduled.entries()) {
    const change = (spec: Changed) => {
      withRealTimeShare(spec, `s${index}`)
      if (scheduler) spec.process.scheduler = scheduler
    }
    const spec = plainSpec(['cat', '/proc/self/stat'], change)
    const { lines } = await runContained(stage, `s${index}`, spec)
    t.like(statFields(lines[0] ?? ''), seen, title)
    if (!spec.process) throw new Error('no process')
    const said = await execContained(idle, spec.process)
    t.like(statFields(said.lines[0] ?? ''), seen, `${title}, exec`)
  }
})

/** The cpu controller of v1 gives a group no real-time share unless it asks, and only out of its parent's. */
function withRealTimeShare(spec: Changed, id: string): void {
  spec.linux.cgroupsPath = `/kt-sched-${process.pid}-${id}`
  spec.linux.resources = {
    ...spec.linux.resources,
    cpu: { realtimeRuntime: 20_000, realtimePeriod: 1_000_000 },
  }
}

rootTest('ioPriority, personality, memoryPolicy: seen by the program and by an exec', async (t) => {
  await using stage = await containerStage('attr')
  const script = 'ionice -p $$; uname -m; cat /proc/self/personality; head -1 /proc/self/numa_maps; umask'
  const spec = plainSpec(
    ['sh', '-c', `busybox ${script}`.replace('; uname', '; busybox uname')],
    ({ process, linux }) => {
      process.ioPriority = { class: 'IOPRIO_CLASS_BE', priority: 6 }
      process.user = { uid: 0, gid: 0, umask: 0o27 }
      linux.personality = { domain: 'LINUX32' }
      linux.memoryPolicy = { mode: 'MPOL_INTERLEAVE', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] }
    },
  )
  const expected = [/best-effort: prio 6/, /^i[36]86|armv8l/, /^00000008$/, /interleave=static:0/, /^0027$/]
  const { lines } = await runContained(stage, 'attr', spec)
  for (const [index, pattern] of expected.entries()) t.regex(lines[index] ?? '', pattern)
  await using idle = await idleContainer(stage, 'idle', {
    ...spec,
    process: { ...spec.process, cwd: '/', args: ['sleep', '9'] },
  })
  if (!spec.process) throw new Error('no process')
  const said = await execContained(idle, spec.process)
  for (const [index, pattern] of expected.entries()) t.regex(said.lines[index] ?? '', pattern, 'exec')
})

rootTest('execCPUAffinity: initial while it joins, final afterwards, else the cpuset decides', async (t) => {
  if (availableParallelism() < 2) return void t.log('SKIPPED: one processor only')
  await using stage = await containerStage('aff')
  await using idle = await idleContainer(stage, 'idle', plainSpec(['sleep', '100']))
  const seen = async (execCPUAffinity?: Process['execCPUAffinity']) => {
    const args = ['grep', 'Cpus_allowed_list', '/proc/self/status']
    const spec = plainSpec(args)
    if (execCPUAffinity) spec.process = { ...spec.process, cwd: '/', execCPUAffinity }
    if (!spec.process) throw new Error('no process')
    return (await execContained(idle, spec.process)).lines.join().split('\t')[1]
  }
  const every = await seen()
  t.not(every, '0')
  t.is(await seen({ initial: '0', final: '1' }), '1')
  t.is(await seen({ final: '0' }), '0')
  t.is(await seen({ initial: '1' }), '1', 'nobody moved it afterwards')
  await t.throwsAsync(seen({ final: '8000' }), { message: /sched_setaffinity/ })
})

rootTest('session keyring: one of the container’s own, by its name, joined by its execs', async (t) => {
  await using stage = await containerStage('keys')
  const id = `ring-${process.pid}`
  const spec = plainSpec(['sleep', '100'], ({ linux }) => {
    linux.maskedPaths = []
  })
  await using idle = await idleContainer(stage, id, spec)
  if (!spec.process) throw new Error('no process')
  // Every process of the same user sees them by name; the third column counts who holds one.
  const rings = (lines: string[]) =>
    lines.filter((line) => line.includes(` _ses.${id}: `)).map((line) => line.trim().split(/\s+/))
  const held = (rows: string[][]) => Number(rows[0]?.[2])
  const before = rings(readFileSync('/proc/keys', 'utf8').split('\n'))
  t.is(before.length, 1)
  t.true(before[0]?.includes('3f1b0000'), before[0]?.join(' '))
  const said = await execContained(idle, { ...spec.process, args: ['cat', '/proc/keys'] })
  const during = rings(said.lines)
  t.is(during.length, 1, 'an exec makes none of its own')
  t.is(during[0]?.[0], before[0]?.[0])
  t.true(held(during) > held(before), 'and is in the one of the container')
})

busyboxTest('a caller that is bound to one processor does not bind the container', async (t) => {
  if (availableParallelism() < 2) return void t.log('SKIPPED: one processor only')
  using bundle = makeBundle(busyboxSpec(['/bin/grep', 'Cpus_allowed_list', '/proc/self/status']))
  const { path, stateRoot } = programs.keelson
  const command = [path, '--root', stateRoot, 'run', '--bundle', bundle.path, `kt-bound-${process.pid}`]
  const { stdout, stderr } = await runProgram('taskset', ['-c', '0', ...command])
  t.regex(stdout, /\t0-\d/, stderr)
})

busyboxTest('what cannot be lowered is told: oomScoreAdj without CAP_SYS_RESOURCE', async (t) => {
  const spec = (oomScoreAdj: number) =>
    busyboxSpec(['/bin/cat', '/proc/self/oom_score_adj'], (one) => ({
      ...one,
      process: { cwd: '/', ...one.process, oomScoreAdj },
    }))
  const run = async (score: number, ...wrapper: string[]) => {
    using bundle = makeBundle(spec(score))
    const { path, stateRoot } = programs.keelson
    const command = [path, '--root', stateRoot, 'run', '--bundle', bundle.path, `kt-oom-${process.pid}`]
    const [program = '', ...args] = [...wrapper, ...command]
    return await runProgram(program, args)
  }
  t.like(await run(300), { stdout: '300\n', stderr: '' })
  const refused = await run(-900, 'setpriv', '--bounding-set', '-sys_resource', '--inh-caps', '-sys_resource')
  t.not(refused.stdout, '-900\n')
  t.regex(refused.stderr, /process\.oomScoreAdj: -900 needs CAP_SYS_RESOURCE, the process keeps 0/)
  t.is(refused.code, 0)
})

busyboxTest(
  'environment: the last value of a name, HOME of the user where it is missing or empty, as runc',
  async (t) => {
    const environments = [
      ['A=1', 'B=x', 'A=2', 'PATH=/bin'],
      ['HOME=', 'PATH=/bin'],
      ['HOME=/here', 'PATH=/bin'],
    ]
    for (const env of environments) {
      using bundle = makeBundle(
        busyboxSpec(['/bin/env'], (one) => ({
          ...one,
          ociVersion: '1.0.2',
          process: { cwd: '/', ...one.process, env },
        })),
      )
      const seen = async (program: typeof programs.keelson) => {
        const { stdout } = await program.run(['run', '--bundle', bundle.path, `kt-env-${process.pid}`])
        return stdout.trim().split('\n').sort()
      }
      const ours = await seen(programs.keelson)
      t.true(ours.includes(env.includes('HOME=/here') ? 'HOME=/here' : 'HOME=/root'), ours.join())
      if (programs.runc) t.deepEqual(ours, await seen(programs.runc), env.join())
      else t.log('SKIPPED in part: runc is not installed, so nothing is compared with it')
    }
  },
)
