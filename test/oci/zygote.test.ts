import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/base/index.ts'
import { ownFd, pidfdOpen, pidfdSendSignal, pidfdWait } from '../../src/kernel/index.ts'
import {
  type CgroupLayout,
  type Container,
  createRuntime,
  planCgroup,
  readCgroupLayout,
} from '../../src/oci/index.ts'
import { type ContainerStage, containerStage, plainSpec } from '../support/container.ts'
import { eventually } from '../support/eventually.ts'
import { rootTest } from '../support/root.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

/** The processes in the monitors' cgroup. */
function monitors({ instance }: ContainerStage): number[] {
  const { leaves } = planCgroup({ layout: readCgroupLayout(), path: `/${instance}/monitors` })
  const text = readFileSync(join(leaves[0] ?? '', 'cgroup.procs'), 'utf8')
  return text.split('\n').filter(Boolean).map(Number)
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}

function createOne(stage: ContainerStage, id: string): Promise<Container> {
  const rootfs = { kind: 'directory', path: stage.rootfs } as const
  return stage.runtime.create({
    id,
    spec: plainSpec(['true']),
    bundle: '/',
    rootfs,
    life: { kind: 'monitored' },
  })
}

async function runOne(stage: ContainerStage, id: string): Promise<number> {
  const container = await createOne(stage, id)
  await container.start()
  const { exitCode } = await container.wait()
  await container.delete()
  return exitCode
}

/** The zygote, once the monitors of earlier containers have left. */
async function zygoteOf(stage: ContainerStage): Promise<number> {
  let found: number[] = []
  await eventually('one process waits', async () => {
    found = monitors(stage)
    return found.length === 1
  })
  return found[0] ?? -1
}

rootTest('one zygote starts every monitor', async (t) => {
  await using stage = await containerStage('zygote')
  t.is(await runOne(stage, 'first'), 0)
  const zygote = await zygoteOf(stage)
  t.is(await runOne(stage, 'second'), 0)
  t.is(await zygoteOf(stage), zygote)
  const container = await createOne(stage, 'third')
  const monitor = parentOf((await container.state()).pid)
  t.true(monitors(stage).includes(monitor))
  t.is(parentOf(monitor), zygote)
})

rootTest('a zygote that somebody killed is no reason for a container to fail', async (t) => {
  await using stage = await containerStage('zygote-killed')
  t.is(await runOne(stage, 'first'), 0)
  using zygote = ownFd(pidfdOpen(await zygoteOf(stage)))
  pidfdSendSignal(zygote.fd, 9)
  await pidfdWait(zygote.fd)
  t.is(await runOne(stage, 'second'), 0)
})

rootTest('a runtime that is disposed keeps no process, and works on', async (t) => {
  await using stage = await containerStage('zygote-disposed')
  t.is(await runOne(stage, 'first'), 0)
  await zygoteOf(stage)
  await stage.runtime[Symbol.asyncDispose]()
  await eventually('nobody waits', async () => monitors(stage).length === 0)
  t.is(await runOne(stage, 'second'), 0)
})

rootTest('containers that begin at once each get a monitor', async (t) => {
  await using stage = await containerStage('zygote-many')
  const ids = Array.from({ length: 8 }, (_, index) => `c${index}`)
  t.deepEqual(
    await Promise.all(ids.map((id) => runOne(stage, id))),
    ids.map(() => 0),
  )
})

rootTest('what keeps the zygote from serving is told with its call and path', async (t) => {
  const directory = await temporaryDirectory()
  await using _ = directory
  const nowhere = join(directory.path, 'no', 'cgroup')
  const layout: CgroupLayout = { mode: 'v2', v1: [], v2: { controllers: [], mountPoint: nowhere, own: '/' } }
  const stateRoot = join(directory.path, 'state')
  await using runtime = createRuntime({
    stateRoot,
    instance: 'none',
    clock: systemClock,
    cgroupLayout: layout,
  })
  const request = { id: 'one', spec: plainSpec(['true']), bundle: '/', life: { kind: 'monitored' } } as const
  const rootfs = { kind: 'directory', path: directory.path } as const
  const error = await t.throwsAsync(runtime.create({ ...request, rootfs }), { code: 'NOT_FOUND' })
  t.regex(String(error), /mkdirat .*no.cgroup/)
})
