import type { CreateRequest, LinuxResources } from '../../src/oci/index.ts'
import { type ContainerStage, containerStage, plainSpec } from '../support/container.ts'
import { rootTest } from '../support/root.ts'

function limited(
  stage: ContainerStage,
  id: string,
  script: string,
  resources: LinuxResources,
): CreateRequest {
  const spec = plainSpec(['sh', '-c', script], ({ linux }) => {
    linux.resources = { ...linux.resources, ...resources }
  })
  const rootfs = { kind: 'directory', path: stage.rootfs } as const
  return { id, spec, bundle: '/', rootfs, life: { kind: 'monitored', logPath: stage.logPath(id) } }
}

rootTest('memory: the kernel kills, the exit says 137 and oomKilled', async (t) => {
  await using stage = await containerStage('oom')
  const container = await stage.runtime.create(
    limited(stage, 'oom', 'exec dd if=/dev/zero of=/dev/null bs=64M count=1', {
      memory: { limit: 16 << 20 },
    }),
  )
  await container.start()
  const exit = await container.wait()
  t.is(exit.exitCode, 137)
  t.true(exit.oomKilled)
})

rootTest('pids: no more processes than the limit', async (t) => {
  await using stage = await containerStage('pids')
  const script = 'for i in $(seq 20); do sleep 5 & done; exit 0'
  const container = await stage.runtime.create(limited(stage, 'pids', script, { pids: { limit: 5 } }))
  await container.start()
  t.not((await container.wait()).exitCode, 0)
})

rootTest('devices: only what the rules allow can be opened', async (t) => {
  await using stage = await containerStage('devices')
  const numbers = { type: 'c', major: 10, minor: 229 } // /dev/fuse
  for (const allow of [false, true]) {
    const rules = [
      { allow: false, access: 'rwm' },
      { ...numbers, allow, access: allow ? 'rwm' : 'rw' },
    ]
    const create = limited(stage, `fuse-${allow}`, 'exec 3</dev/fuse', { devices: rules })
    if (create.spec.linux) create.spec.linux.devices = [{ path: '/dev/fuse', ...numbers }]
    const container = await stage.runtime.create(create)
    await container.start()
    t.is((await container.wait()).exitCode === 0, allow)
  }
})

rootTest('update changes the limits of a running container', async (t) => {
  await using stage = await containerStage('update')
  const script = 'while test "$(cat /sys/fs/cgroup/pids/pids.max)" != 77; do sleep 0.01; done'
  const container = await stage.runtime.create(limited(stage, 'update', script, { pids: { limit: 50 } }))
  await container.start()
  await container.update({ pids: { limit: 77 } })
  t.is((await container.wait()).exitCode, 0)
})
