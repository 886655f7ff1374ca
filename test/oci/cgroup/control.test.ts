import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import test from 'ava'
import { systemClock } from '../../../src/base/index.ts'
import {
  cgroupPids,
  killCgroup,
  oomKills,
  removeCgroup,
  requireUnused,
} from '../../../src/oci/cgroup/control.ts'
import { freezeCgroup, isFrozen, thawCgroup } from '../../../src/oci/cgroup/freezer.ts'
import { readCgroupLayout } from '../../../src/oci/cgroup/layout.ts'
import { planCgroup } from '../../../src/oci/cgroup/plan.ts'
import { rootTest } from '../../support/root.ts'

function makeCgroup(name: string) {
  const plan = planCgroup({
    layout: readCgroupLayout(),
    path: `/keelson-test-${process.pid}-${name}`,
    resources: { memory: { limit: 64 << 20 }, pids: { limit: 32 }, cpu: { shares: 512 } },
  })
  for (const directory of plan.directories) mkdirSync(directory, { recursive: true })
  for (const { path, value, failure } of plan.writes)
    try {
      writeFileSync(path, value, { flag: 'r+' })
    } catch (error) {
      if (!failure) throw error
    }
  return plan
}

rootTest('a planned cgroup takes its limits, holds a process, freezes, dies and goes', async (t) => {
  const plan = makeCgroup('life')
  t.teardown(() => removeCgroup(plan.leaves, { clock: systemClock }))
  const pids = plan.leaves.find((leaf) => existsSync(`${leaf}/pids.max`))
  if (pids) t.is(readFileSync(`${pids}/pids.max`, 'utf8').trim(), '32')
  const join = [...plan.tasksFiles, ...(plan.v2Directory ? [`${plan.v2Directory}/cgroup.procs`] : [])]
    .map((file) => `echo 0 > ${file};`)
    .join('')
  const child = spawn('sh', ['-c', `${join} echo in; sleep 60 & sleep 60; wait`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  await once(child.stdout, 'data')
  const held = await cgroupPids(plan.leaves)
  t.true(held.includes(child.pid ?? 0))
  t.false(isFrozen(plan.freezers))
  await freezeCgroup(plan.freezers, { clock: systemClock })
  t.true(isFrozen(plan.freezers))
  await t.throwsAsync(requireUnused(plan), { message: /not empty: 3 process/ })
  await thawCgroup(plan.freezers)
  t.false(isFrozen(plan.freezers))
  t.is(plan.oomFile === undefined ? 0 : await oomKills(plan.oomFile), 0)
  await killCgroup(plan.leaves)
  t.deepEqual(await exited, [null, 'SIGKILL'])
  await removeCgroup(plan.leaves, { clock: systemClock })
  t.deepEqual(
    plan.leaves.filter((leaf) => existsSync(leaf)),
    [],
  )
})

rootTest(
  'a new container is refused below a group that is frozen, and where none lives it is not',
  async (t) => {
    const above = makeCgroup('frozen')
    t.teardown(() => removeCgroup(above.leaves, { clock: systemClock }))
    const below = planCgroup({
      layout: readCgroupLayout(),
      path: `/keelson-test-${process.pid}-frozen/inner`,
    })
    await requireUnused(below)
    await freezeCgroup(above.freezers, { clock: systemClock })
    await t.throwsAsync(requireUnused(below), { message: /is frozen: .*-frozen$/ })
    await thawCgroup(above.freezers)
    await requireUnused(below)
  },
)

rootTest('groups that the container made itself are removed with it', async (t) => {
  const plan = makeCgroup('nested')
  for (const leaf of plan.leaves) mkdirSync(`${leaf}/inner/most`, { recursive: true })
  await removeCgroup(plan.leaves, { clock: systemClock })
  t.false(plan.leaves.some((leaf) => existsSync(leaf)))
})

test('what is gone is empty, and removing it again is fine', async (t) => {
  const gone = ['/sys/fs/cgroup/keelson-test-nowhere']
  t.deepEqual(await cgroupPids(gone), [])
  await killCgroup(gone)
  await removeCgroup(gone, { clock: systemClock })
  t.is(await oomKills(`${gone}/memory.events`), 0)
})
