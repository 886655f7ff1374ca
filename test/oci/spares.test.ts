import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ownFd, pidfdOpen, pidfdSendSignal, pidfdWait } from '../../src/kernel/index.ts'
import { planCgroup, readCgroupLayout } from '../../src/oci/index.ts'
import { type ContainerStage, containerStage, plainSpec } from '../support/container.ts'
import { eventually } from '../support/eventually.ts'
import { rootTest } from '../support/root.ts'

/** The processes in the monitors' cgroup. */
function monitors({ instance }: ContainerStage): number[] {
  const { leaves } = planCgroup({ layout: readCgroupLayout(), path: `/${instance}/monitors` })
  const text = readFileSync(join(leaves[0] ?? '', 'cgroup.procs'), 'utf8')
  return text.split('\n').filter(Boolean).map(Number)
}

async function runOne(stage: ContainerStage, id: string): Promise<number> {
  const rootfs = { kind: 'directory', path: stage.rootfs } as const
  const spec = plainSpec(['true'])
  const container = await stage.runtime.create({ id, spec, bundle: '/', rootfs, life: { kind: 'monitored' } })
  await container.start()
  const { exitCode } = await container.wait()
  await container.delete()
  return exitCode
}

/** The one that waits, once the monitors of earlier containers have left. */
async function spareOf(stage: ContainerStage): Promise<number> {
  let found: number[] = []
  await eventually('one monitor waits', async () => {
    found = monitors(stage)
    return found.length === 1
  })
  return found[0] ?? -1
}

rootTest('a spare waits for the next container, becomes its monitor, and is replaced', async (t) => {
  await using stage = await containerStage('spares')
  t.is(await runOne(stage, 'first'), 0)
  const spare = await spareOf(stage)
  t.is(await runOne(stage, 'second'), 0)
  t.not(await spareOf(stage), spare)
})

rootTest('a spare that somebody killed is no reason for a container to fail', async (t) => {
  await using stage = await containerStage('spare-killed')
  t.is(await runOne(stage, 'first'), 0)
  using spare = ownFd(pidfdOpen(await spareOf(stage)))
  pidfdSendSignal(spare.fd, 9)
  await pidfdWait(spare.fd)
  t.is(await runOne(stage, 'second'), 0)
})

rootTest('a runtime that is disposed keeps no process, and works on', async (t) => {
  await using stage = await containerStage('spare-disposed')
  t.is(await runOne(stage, 'first'), 0)
  await spareOf(stage)
  await stage.runtime[Symbol.asyncDispose]()
  await eventually('nobody waits', async () => monitors(stage).length === 0)
  t.is(await runOne(stage, 'second'), 0)
})

rootTest('containers that begin at once each get a monitor', async (t) => {
  await using stage = await containerStage('spare-many')
  const ids = Array.from({ length: 8 }, (_, index) => `c${index}`)
  t.deepEqual(
    await Promise.all(ids.map((id) => runOne(stage, id))),
    ids.map(() => 0),
  )
})
