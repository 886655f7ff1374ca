/** The systemd driver against a systemd of the test's own, on a real message bus. */
import { existsSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '../../src/base/index.ts'
import { createRuntime, planCgroup, readCgroupLayout, v1Hierarchy } from '../../src/oci/index.ts'
import { containerStage, plainSpec } from '../support/container.ts'
import { fakeSystemd, groupsOf, hasDbusDaemon } from '../support/fake-systemd.ts'
import { hasSystemd, realSystemd } from '../support/real-systemd.ts'
import { rootTest } from '../support/root.ts'

/** One at a time: the address of the bus is the process's. */
let before = Promise.resolve()
const busTest = (title: string, body: (t: ExecutionContext) => Promise<void>) => {
  if (!hasDbusDaemon) return test.skip(`${title} (needs dbus-daemon)`, body)
  return rootTest(title, (t) => {
    const mine = before.then(() => body(t))
    before = mine.catch(() => undefined)
    return mine
  })
}

const slice = `kt${process.pid}.slice`
const layout = readCgroupLayout()

async function scene() {
  const systemd = await fakeSystemd()
  const stage = await containerStage('systemd')
  const env = { DBUS_SYSTEM_BUS_ADDRESS: systemd.address }
  const stateRoot = join(stage.folder, 'systemd-state')
  const runtime = createRuntime({
    stateRoot,
    clock: systemClock,
    cgroupManager: 'systemd',
    instance: '',
    env,
  })
  const create = (id: string, args: string[], annotations: Record<string, string> = {}) =>
    runtime.create({
      id,
      spec: plainSpec(args, (spec) => {
        Object.assign(spec, { annotations })
        Object.assign(spec.linux, { cgroupsPath: `${slice}:kt:${id}` })
        spec.linux.resources = { ...spec.linux.resources, memory: { limit: 64 << 20 }, pids: { limit: 20 } }
      }),
      bundle: '/',
      rootfs: { kind: 'directory', path: stage.rootfs },
      life: { kind: 'monitored', logPath: stage.logPath(id) },
    })
  return {
    systemd,
    env,
    runtime,
    create,
    async [Symbol.asyncDispose]() {
      for (const container of await runtime.list()) await container.delete({ force: true })
      await runtime[Symbol.asyncDispose]()
      for (const leaf of planCgroup({ layout, path: `/${slice}` }).leaves)
        if (existsSync(leaf)) rmdirSync(leaf)
      await stage[Symbol.asyncDispose]()
      await systemd[Symbol.asyncDispose]()
    },
  }
}

const value = (controller: string, unit: string, file: string) => {
  const directory = v1Hierarchy(layout, controller)?.mountPoint ?? layout.v2?.mountPoint ?? ''
  return readFileSync(join(directory, slice, unit, file), 'utf8').trim()
}

busTest(
  'a container is a scope of systemd: made with its process, limits in both, stopped when deleted',
  async (t) => {
    await using stage = await scene()
    const { systemd } = stage
    const container = await stage.create('one', ['sleep', '100'], {
      'org.systemd.property.CollectMode': "'inactive'",
    })
    const { pid } = await container.state()
    t.like(systemd.units.get('kt-one.scope'), {
      Slice: slice,
      Delegate: true,
      PIDs: [pid],
      DefaultDependencies: false,
      MemoryAccounting: true,
      TasksMax: 20n,
      CollectMode: 'inactive',
      DevicePolicy: 'strict',
    })
    for (const line of groupsOf(pid)) t.true(line.endsWith(`:/${slice}/kt-one.scope`), line)
    if (v1Hierarchy(layout, 'memory')) {
      t.is(value('memory', 'kt-one.scope', 'memory.limit_in_bytes'), String(64 << 20))
      t.is(value('pids', 'kt-one.scope', 'pids.max'), '20')
    }
    await container.start()
    const execution = await container.exec({
      process: { args: ['true'], cwd: '/', env: ['PATH=/bin'], user: { uid: 0, gid: 0 } },
      stdio: 'pipe',
    })
    t.is((await execution.wait()).exitCode, 0)

    await container.update({ pids: { limit: 30 } })
    t.is(systemd.units.get('kt-one.scope')?.['TasksMax'], 30n)
    if (v1Hierarchy(layout, 'pids')) t.is(value('pids', 'kt-one.scope', 'pids.max'), '30')

    await container.delete({ force: true })
    t.deepEqual([...systemd.units], [])
    t.true(systemd.calls.includes('StopUnit'))
  },
)

busTest('a unit of that name that lives is refused, and it is left alone', async (t) => {
  await using stage = await scene()
  stage.systemd.units.set('kt-two.scope', { Slice: slice, PIDs: [] })
  await t.throwsAsync(stage.create('two', ['sleep', '100']), { message: /has a unit kt-two.scope already/ })
  t.true(stage.systemd.units.has('kt-two.scope'))
  t.true(stage.systemd.calls.includes('ResetFailedUnit'))
  t.deepEqual(await stage.runtime.list(), [])
  stage.systemd.units.delete('kt-two.scope')
})

busTest('a create that fails after its scope was made takes it back', async (t) => {
  await using stage = await scene()
  await t.throwsAsync(stage.create('three', ['/no/such/program']), { message: /no such file|not found/ })
  t.deepEqual([...stage.systemd.units], [])
})

busTest('without a message bus there is one clear error', async (t) => {
  await using stage = await scene()
  stage.env.DBUS_SYSTEM_BUS_ADDRESS = 'unix:path=/nowhere/bus'
  const error = await t.throwsAsync(stage.create('four', ['true']))
  t.regex(String(error), /message bus|ENOENT/)
  t.deepEqual(await stage.runtime.list(), [])
})

const realTitle =
  'a real systemd: a scope in its slice, delegated, paused across a reload, gone with its container'
if (!hasSystemd) test.skip(`${realTitle} (needs systemd, dbus-daemon and a cgroup2 mount)`, (t) => t.pass())
else
  rootTest(realTitle, async (t) => {
    await using systemd = await realSystemd()
    const scenario = fileURLToPath(new URL('systemd-scenario.ts', import.meta.url))
    const directory = fileURLToPath(new URL('../..', import.meta.url))
    const node = [process.execPath, '--import', 'tsx', scenario].map((word) => `'${word}'`).join(' ')
    const told = JSON.parse(systemd.run('sh', '-c', `cd '${directory}' && exec ${node}`))
    const path = '/kt.slice/kt-deep.slice/kt-real.scope'
    t.is(told.cgroup, `0::${path}`)
    t.deepEqual(told.made, {
      ActiveState: 'active',
      ControlGroup: path,
      Delegate: 'yes',
      TimeoutStopUSec: '7s',
      DevicePolicy: 'strict',
      Slice: 'kt-deep.slice',
    })
    t.like(told, { paused: 'paused', afterReload: 'paused', left: 0 })
    t.deepEqual(told.gone, { ActiveState: 'inactive', LoadState: 'not-found' })
  })
