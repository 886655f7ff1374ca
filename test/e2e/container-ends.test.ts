/** How containers stop, are killed and go away: frozen, with a shared pid namespace, with a fork bomb inside. */
import { existsSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { type Container, planCgroup, readCgroupLayout, type Spec, v1Hierarchy } from '../../src/oci/index.ts'
import { type ContainerStage, containerStage, plainSpec } from '../support/container.ts'
import { eventually } from '../support/eventually.ts'
import { rootTest } from '../support/root.ts'

const layout = readCgroupLayout()
const freezer = v1Hierarchy(layout, 'freezer')

/** `pid: false`: the host's pid namespace. */
async function start(
  stage: ContainerStage,
  script: string,
  { pid = true, change = (_: Spec) => {} } = {},
): Promise<Container> {
  const spec = plainSpec(['sh', '-c', script], (one) => {
    if (!pid) one.linux.namespaces = one.linux.namespaces?.filter(({ type }) => type !== 'pid') ?? []
    one.linux.resources = { ...one.linux.resources, pids: { limit: 24 } }
    change(one)
  })
  const rootfs = { kind: 'directory', path: stage.rootfs } as const
  const life = { kind: 'monitored', logPath: stage.logPath('one') } as const
  const container = await stage.runtime.create({ id: 'one', spec, bundle: '/', rootfs, life })
  await container.start()
  return container
}

/** Grows until nobody may fork any more. */
const bomb = 'sh -c "while :; do sleep 100 & done" 2>/dev/null & exec sleep 100'

const leavesOf = (stage: ContainerStage) => planCgroup({ layout, path: `/${stage.instance}/one` }).leaves
const freezerFile = ({ instance }: ContainerStage) =>
  freezer
    ? join(freezer.mountPoint, instance, 'one/freezer.state')
    : join(layout.v2?.mountPoint ?? '', instance, 'one/cgroup.freeze')
const isGone = (t: ExecutionContext, stage: ContainerStage) =>
  t.deepEqual(
    leavesOf(stage).filter((leaf) => existsSync(leaf)),
    [],
  )

rootTest(
  'when create returns, /proc/PID/cgroup names the container’s cgroup in every hierarchy',
  async (t) => {
    await using stage = await containerStage('placed')
    const spec = plainSpec(['sleep', '100'])
    const rootfs = { kind: 'directory', path: stage.rootfs } as const
    const container = await stage.runtime.create({
      id: 'one',
      spec,
      bundle: '/',
      rootfs,
      life: { kind: 'monitored' },
    })
    const { pid } = await container.state()
    const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n')
    t.is(lines.length, leavesOf(stage).length)
    for (const line of lines) t.true(line.endsWith(`:/${stage.instance}/one`), line)
  },
)

rootTest('the host’s pid namespace: what is left when the first process ends is ended with it', async (t) => {
  await using stage = await containerStage('rest')
  const container = await start(stage, 'sleep 1000 & sleep 1000 & exit 4', { pid: false })
  t.is((await container.wait()).exitCode, 4)
  await eventually('nobody is left', async () => (await container.pids()).length === 0 || undefined)
  await container.delete()
  isGone(t, stage)
})

rootTest('the host’s pid namespace: killing the container kills all of it', async (t) => {
  await using stage = await containerStage('all')
  const container = await start(stage, 'sleep 1000 & sleep 1000 & wait', { pid: false })
  await eventually('all three are there', async () => (await container.pids()).length === 3 || undefined)
  await container.kill('KILL')
  t.is((await container.wait()).exitCode, 137)
  await eventually('nobody is left', async () => (await container.pids()).length === 0 || undefined)
})

for (const pid of [true, false])
  rootTest(
    `a fork bomb ${pid ? '' : 'in the host’s pid namespace '}is bounded, and deleted by force`,
    async (t) => {
      await using stage = await containerStage(`bomb-${pid}`)
      const container = await start(stage, bomb, { pid })
      await eventually('it has grown', async () => (await container.pids()).length >= 20 || undefined)
      t.true((await container.pids()).length <= 24)
      await container.delete({ force: true })
      isGone(t, stage)
    },
  )

rootTest('pause resolves when everything has stopped, resume when it runs again', async (t) => {
  await using stage = await containerStage('pause')
  const container = await start(stage, 'while :; do :; done & while :; do echo -n x; done')
  await container.pause()
  t.regex(readFileSync(freezerFile(stage), 'utf8'), /^(FROZEN|1)\n$/)
  const size = readFileSync(stage.logPath('one')).length
  await sleep(30)
  t.true(readFileSync(stage.logPath('one')).length - size < 70_000, 'the pipe’s last bytes at most')
  t.is((await container.state()).status, 'paused')
  await t.throwsAsync(container.pause(), { message: /it is paused/ })
  await container.resume()
  t.is((await container.state()).status, 'running')
  await t.throwsAsync(container.resume(), { message: /it is running/ })
})

rootTest('a container that somebody else froze is paused, and can be resumed', async (t) => {
  await using stage = await containerStage('outside')
  const container = await start(stage, 'sleep 1000')
  writeFileSync(freezerFile(stage), freezer ? 'FROZEN' : '1')
  t.is((await container.state()).status, 'paused')
  await container.resume()
  t.is((await container.state()).status, 'running')
})

for (const pid of [true, false]) {
  const where = pid ? 'of its own pid namespace' : 'of the host’s pid namespace'
  rootTest(`a paused container ${where} dies when it is killed`, async (t) => {
    await using stage = await containerStage(`killed-${pid}`)
    const container = await start(stage, 'sleep 1000 & wait', { pid })
    await container.pause()
    await container.kill('TERM')
    t.is((await container.state()).status, 'paused', 'any other signal waits')
    await container.kill('KILL')
    t.is((await container.wait()).exitCode, 137)
  })

  rootTest(`a paused container ${where} is deleted by force`, async (t) => {
    await using stage = await containerStage(`deleted-${pid}`)
    const container = await start(stage, 'sleep 1000 & wait', { pid })
    await container.pause()
    await t.throwsAsync(container.delete(), { message: /it is paused/ })
    await container.delete({ force: true })
    isGone(t, stage)
  })
}

rootTest('kill --all signals every process, also after the first has ended', async (t) => {
  await using stage = await containerStage('kill-all')
  const script =
    'sh -c "trap \\"echo told\\" TERM; sleep 0.1; while :; do sleep 0.05; done" & exec sleep 1000'
  const container = await start(stage, script)
  await sleep(150)
  await container.kill('TERM', { all: true })
  await eventually(
    'the other one heard it',
    () => readFileSync(stage.logPath('one'), 'utf8').includes('told') || undefined,
  )
  await container.kill('KILL')
  await container.wait()
  await t.notThrowsAsync(container.kill('KILL', { all: true }))
})

rootTest('a container whose cgroups were removed by hand is deleted all the same', async (t) => {
  await using stage = await containerStage('by-hand')
  const container = await start(stage, 'exit 0')
  await container.wait()
  for (const leaf of leavesOf(stage))
    await eventually('it is empty', () => {
      try {
        rmdirSync(leaf)
        return true
      } catch {
        return undefined
      }
    })
  t.is((await container.state()).status, 'stopped')
  t.deepEqual(await container.pids(), [])
  await container.delete()
  t.is(await stage.runtime.find('one'), undefined)
})

rootTest('a path that is in use is refused, and whoever lives there is left alone', async (t) => {
  await using stage = await containerStage('used')
  const container = await start(stage, 'sleep 1000')
  const spec = plainSpec(['true'], ({ linux }) => {
    Object.assign(linux, { cgroupsPath: `/${stage.instance}/one` })
  })
  const rootfs = { kind: 'directory', path: stage.rootfs } as const
  await t.throwsAsync(
    stage.runtime.create({ id: 'two', spec, bundle: '/', rootfs, life: { kind: 'monitored' } }),
    { message: /cgroup is not empty: 1 process/ },
  )
  t.is((await container.state()).status, 'running')
  t.is(await stage.runtime.find('two'), undefined)
})
