/** update and events of the command line beside runc, and of the library: what was changed and what is told. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { type ContainerEvent, readCgroupLayout, v1Hierarchy } from '../../src/oci/index.ts'
import type { Spec } from '../../src/oci/spec.ts'
import { busyboxSpec, makeBundle } from '../support/bundle.ts'
import { type ContainerStage, containerStage, plainSpec } from '../support/container.ts'
import type { Outcome, Program } from '../support/oci-programs.ts'
import { ociTests } from '../support/oci-tests.ts'
import { rootTest } from '../support/root.ts'

const { programs, nextId, busyboxTest } = ociTests('events')

const limits = { memory: { limit: 64 << 20, swap: 128 << 20 }, pids: { limit: 50 }, cpu: { shares: 512 } }

/** The same done to a container of each program that is there; what it gives must be equal. */
async function both<T>(
  t: ExecutionContext,
  body: (program: Program, id: string, cgroup: string) => Promise<T>,
) {
  const spec = busyboxSpec(['/bin/sleep', '100'], (one): Spec => ({ ...one, ociVersion: '1.0.2' }))
  const run = async (program: Program) => {
    const id = nextId()
    using bundle = makeBundle({ ...spec, linux: { ...spec.linux, cgroupsPath: `/${id}`, resources: limits } })
    try {
      const started = await program.run(['run', '--detach', '--bundle', bundle.path, id])
      t.is(started.code, 0, started.stderr)
      return await body(program, id, `/${id}`)
    } finally {
      await program.run(['delete', '--force', id])
    }
  }
  const ours = await run(programs.keelson)
  if (programs.runc) t.deepEqual(ours, await run(programs.runc), 'as runc')
  else t.log('runc is not installed: not compared')
  return ours
}

const layout = readCgroupLayout()
function value(controller: string, cgroup: string, file: string): string {
  const { mountPoint = '' } = v1Hierarchy(layout, controller) ?? {}
  const path = join(mountPoint, cgroup, `${controller}.${file}`)
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : 'absent'
}

const written = [
  ['memory', 'limit_in_bytes'],
  ['memory', 'memsw.limit_in_bytes'],
  ['memory', 'soft_limit_in_bytes'],
  ['pids', 'max'],
  ['cpu', 'shares'],
  ['cpu', 'cfs_quota_us'],
  ['cpu', 'cfs_period_us'],
  ['cpuset', 'cpus'],
] as const

const updates: [string, string[], string][] = [
  ['memory raised above what memsw was', ['--memory', '200m', '--memory-swap', '300m'], ''],
  ['both lowered', ['--memory', '8m', '--memory-swap', '16m'], ''],
  ['memory without limit', ['--memory', '-1'], ''],
  [
    'cpu and processes',
    ['--cpu-quota', '20000', '--cpu-period', '50000', '--cpu-share', '77', '--pids-limit', '9'],
    '',
  ],
  ['a reservation and CPUs', ['--memory-reservation', '6m', '--cpuset-cpus', '0'], ''],
  [
    'from standard input',
    ['-r', '-'],
    '{"pids":{"limit":33},"cpu":{"shares":100},"memory":{"limit":67108864}}',
  ],
]

for (const [title, options, input] of updates)
  busyboxTest(`update: ${title}`, async (t) => {
    await both(t, async (program, id, cgroup) => {
      const { code } = await program.run(['update', ...options, id], { input })
      return {
        code,
        files: written.map(([controller, file]) => `${file} ${value(controller, cgroup, file)}`),
      }
    })
  })

busyboxTest('update: a value that the kernel refuses takes back what was written before it', async (t) => {
  const { code, stderr, pids, shares } = await (async () => {
    let found: Outcome & { pids: string; shares: string } = {
      code: 0,
      stdout: '',
      stderr: '',
      pids: '',
      shares: '',
    }
    await both(t, async (program, id, cgroup) => {
      if (program.name === 'runc') return undefined
      const input = '{"cpu":{"shares":100,"cpus":"4095"},"pids":{"limit":7}}'
      const outcome = await program.run(['update', '-r', '-', id], { input })
      found = { ...outcome, pids: value('pids', cgroup, 'max'), shares: value('cpu', cgroup, 'shares') }
      return undefined
    })
    return found
  })()
  t.is(code, 1)
  t.regex(stderr, /cpuset\.cpus/)
  t.deepEqual([pids, shares], ['50', '512'])
})

busyboxTest(
  'update: what cannot be is refused in one line, and the container keeps what it has',
  async (t) => {
    for (const options of [
      ['--memory', 'much'],
      ['--cpu-quota', '1.5'],
      ['--l3-cache-schema', 'L3:0=f'],
    ]) {
      const outcome = await both(
        t,
        async (program, id) => (await program.run(['update', ...options, id])).code,
      )
      t.is(outcome, 1)
    }
  },
)

busyboxTest('events --stats prints what runc prints, name by name', async (t) => {
  // Which counters there are is compared; what they have counted differs, and zeros are left out.
  const always = (document: { data: Record<string, Record<string, unknown>> }) => {
    const { cpu = {}, cpuset = {}, memory = {}, blkio: _, ...rest } = document.data
    return {
      cpu: [Object.keys(cpu), Object.keys(cpu['usage'] as object).sort()],
      cpuset: Object.keys(cpuset).sort(),
      memory: Object.keys(memory).sort(),
      limit: memory['usage'] && (memory['usage'] as { limit: number }).limit,
      raw: Object.keys(memory['raw'] as object).length,
      pids: rest['pids'],
      rest: Object.keys(rest),
    }
  }
  const { pids } = await both(t, async (program, id) => {
    const { stdout } = await program.run(['events', '--stats', id])
    t.is(stdout.trim().split('\n').length, 1)
    const document = JSON.parse(stdout)
    t.like(document, { type: 'stats', id })
    const { hugetlb: _, ...data } = document.data // on hybrid it is v2's, which runc does not read there
    return always({ ...document, data })
  })
  t.deepEqual(pids, { current: 1, limit: 50 })
})

busyboxTest('events: refused for an interval of nothing and a container that has stopped', async (t) => {
  t.is(await both(t, async (program, id) => (await program.run(['events', '--interval', '0s', id])).code), 1)
  await both(t, async (program, id) => {
    await program.run(['kill', id, 'KILL'])
    for (let left = 100; left > 0; left--)
      if (JSON.parse((await program.run(['state', id])).stdout).status === 'stopped') break
    const { code, stderr } = await program.run(['events', '--stats', id])
    t.regex(stderr, /is not running/)
    return code
  })
})

rootTest(
  'events of the library: statistics at the interval, each out-of-memory kill, and the end',
  async (t) => {
    await using stage = await containerStage('events')
    const greedy = 'dd if=/dev/zero of=/dev/null bs=64M count=1'
    const container = await start(
      stage,
      `until test -e /go; do sleep 0.02; done; ${greedy}; sleep 0.4; exit 3`,
    )
    const seen: ContainerEvent[] = []
    for await (const event of container.events({ intervalMs: 50 })) {
      // Only what happens after the call is told.
      if (seen.push(event) === 1) writeFileSync(join(stage.rootfs, 'go'), '')
    }
    t.is((await container.wait()).exitCode, 3)
    t.is(seen.filter(({ type }) => type === 'oom').length, 1)
    const stats = seen.flatMap((event) => (event.type === 'stats' ? event.stats : []))
    t.true(stats.length >= 1, `${stats.length}`)
    t.is(stats[0]?.memory.usage.limit, BigInt(16 << 20))
    await t.throwsAsync(container.stats(), { message: /it is stopped/ })
  },
)

rootTest('events of the library end when they are told to', async (t) => {
  await using stage = await containerStage('signal')
  const container = await start(stage, 'sleep 100')
  const stop = new AbortController()
  let count = 0
  for await (const _ of container.events({ intervalMs: 10, signal: stop.signal }))
    if (++count === 3) stop.abort()
  t.is(count, 3)
})

async function start(stage: ContainerStage, script: string) {
  const spec = plainSpec(['sh', '-c', script], ({ linux }) => {
    linux.resources = { ...linux.resources, memory: { limit: 16 << 20 } }
  })
  const rootfs = { kind: 'directory', path: stage.rootfs } as const
  const life = { kind: 'monitored', logPath: stage.logPath('one') } as const
  const container = await stage.runtime.create({ id: 'one', spec, bundle: '/', rootfs, life })
  await container.start()
  return container
}
