import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { systemClock } from '../../src/base/index.ts'
import { lockFile, ownFd } from '../../src/kernel/index.ts'
import { compileCreate } from '../../src/oci/compile/create.ts'
import type { RuntimeContext } from '../../src/oci/context.ts'
import { prepareCreate } from '../../src/oci/create-container.ts'
import { createContext } from '../../src/oci/create-runtime.ts'
import { type CreateRequest, planCgroup, type Spec } from '../../src/oci/index.ts'
import { encodePlan, type Plan } from '../../src/oci/plan/index.ts'
import { type ContainerStage, containerStage, plainSpec } from '../support/container.ts'
import { eventually } from '../support/eventually.ts'
import { rootTest } from '../support/root.ts'

/** Each is a step of the plan, or a plan of its own beside the state. */
const hookStages = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststop']

/**
 * keelson-init ends its list with `_exit` and nothing else, so a plan that is cut after n steps is a keelson-init (or
 * a first process) that was killed there. Its creator is killed too: nobody takes anything back.
 */
function cut(plan: Plan, side: 'parent' | 'child', steps: number): Plan {
  return { ...plan, [side]: plan[side].slice(0, steps) }
}

interface Scene {
  stage: ContainerStage
  context: RuntimeContext
  /** With a user and a time namespace, and a mount with a map of ids. */
  mapped: boolean
}

function openScene(stage: ContainerStage, mapped: boolean): Scene {
  const { instance, folder } = stage
  const context = createContext({ stateRoot: join(folder, 'state'), instance, clock: systemClock })
  return { stage, context, mapped }
}

function request({ stage, mapped }: Scene, id: string): CreateRequest {
  const spec = plainSpec(['sleep', '1000'], (made) => {
    const { linux } = made
    linux.resources = { ...linux.resources, memory: { limit: 64 << 20 }, pids: { limit: 64 } }
    made.hooks = Object.fromEntries(hookStages.map((stage) => [stage, [{ path: '/bin/true' }]]))
    if (mapped) addMaps(made)
  })
  const rootfs = { kind: 'directory', path: stage.rootfs } as const
  return { id, spec, bundle: '/', rootfs, life: { kind: 'monitored', logPath: stage.logPath(id) } }
}

function addMaps({ linux, mounts }: Spec): void {
  const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
  linux?.namespaces?.push({ type: 'user' }, { type: 'time' })
  Object.assign(linux ?? {}, { uidMappings: map, gidMappings: map })
  mounts?.push({ destination: '/tmp', type: 'bind', source: '/etc', options: ['bind', 'idmap'] })
}

/** Everything that `create` does until both it and keelson-init are killed; the cgroups that may be left. */
async function createUntil(scene: Scene, id: string, change: (plan: Plan) => Plan): Promise<string[]> {
  const directory = join(scene.context.stateRoot, id)
  mkdirSync(directory, { recursive: true })
  using lock = await lockFile(join(directory, 'lock'))
  using directoryFd = ownFd(openSync(directory, 'r'))
  const place = { directory, directoryFd: directoryFd.fd, lockFd: lock.fd, namespaceFds: {} }
  const { cgroup, input } = await prepareCreate(scene.context, request(scene, id), place)
  const { plan, inherited } = compileCreate(input)
  const started = await scene.context.zygote.start({ plan: encodePlan(change(plan)), inherited })
  ownFd(started.control)[Symbol.dispose]()
  return cgroup?.leaves ?? []
}

async function planOf(scene: Scene): Promise<Plan> {
  const place = { directory: '/none', directoryFd: 0, lockFd: 0, namespaceFds: {} }
  return compileCreate((await prepareCreate(scene.context, request(scene, 'plan'), place)).input).plan
}

async function crashEverywhere(
  t: ExecutionContext,
  side: 'parent' | 'child',
  mapped: boolean,
): Promise<void> {
  await using stage = await containerStage(`crash-${side}${mapped ? '-mapped' : ''}`)
  const scene = openScene(stage, mapped)
  const plan = await planOf(scene)
  for (let steps = 0; steps < plan[side].length; steps++) {
    const id = `${side}-${steps}`
    const leaves = await createUntil(scene, id, (whole) => cut(whole, side, steps))
    const at = `${side} killed before step ${steps}, ${plan[side][steps]?.op}`
    const left = await stage.runtime.find(id)
    if (left) await left.delete({ force: true })
    t.is(await stage.runtime.find(id), undefined, at)
    t.deepEqual(
      leaves.filter((leaf) => existsSync(leaf)),
      [],
      at,
    )
  }
  await eventually('nobody of ours lives', async () => (await survivors(scene)).length === 0)
}

/** Processes that are still in the monitors' cgroup, after the zygote was let go. */
async function survivors({ context, stage }: Scene): Promise<string[]> {
  await context.zygote[Symbol.asyncDispose]()
  await stage.runtime[Symbol.asyncDispose]()
  const { leaves } = planCgroup({ layout: context.layout, path: `/${stage.instance}/monitors` })
  const pids = leaves.flatMap((leaf) => readFileSync(join(leaf, 'cgroup.procs'), 'utf8').split('\n'))
  return [...new Set(pids)].filter((pid) => pid !== '')
}

for (const [kind, mapped] of [
  ['a create', false],
  ['a create with a user namespace', true],
] as const) {
  rootTest(`keelson-init killed at any step of ${kind}: delete --force leaves nothing`, (t) =>
    crashEverywhere(t, 'parent', mapped),
  )
  rootTest(`the first process killed at any step of ${kind}: delete --force leaves nothing`, (t) =>
    crashEverywhere(t, 'child', mapped),
  )
}

rootTest('a signal ends a create that waits: for the lock, and for keelson-init', async (t) => {
  await using stage = await containerStage('abort')
  const scene = openScene(stage, false)
  const directory = join(scene.context.stateRoot, 'waits')
  mkdirSync(directory, { recursive: true })
  {
    using _held = await lockFile(join(directory, 'lock'))
    const signal = AbortSignal.timeout(50)
    const error = await t.throwsAsync(stage.runtime.create({ ...request(scene, 'waits'), signal }), {
      any: true,
    })
    t.is(error, signal.reason)
  }
  for (const delayMs of [0, 1, 2, 3, 4, 6]) {
    const giveUp = new AbortController()
    const created = stage.runtime.create({ ...request(scene, `gone-${delayMs}`), signal: giveUp.signal })
    void systemClock.sleep(delayMs).then(() => giveUp.abort(new Error('enough')))
    const outcome = await created.then(
      () => 'created',
      (error: unknown) => String(error),
    )
    if (outcome === 'created') continue // it was faster
    t.is(outcome, 'Error: enough')
    t.is(await stage.runtime.find(`gone-${delayMs}`), undefined)
  }
  for (const container of await stage.runtime.list()) await container.delete({ force: true })
  await eventually('nobody of ours lives', async () => (await survivors(scene)).length === 0)
})
