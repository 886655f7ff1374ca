import test from 'ava'
import { settle } from '../support/fake-clock.ts'
import { Bench, call } from '../support/pod-bench.ts'

test('a container that is being made while its pod is removed goes with it', async (t) => {
  await using bench = await Bench.open()
  const { snapshots, prepared } = bench.host.images
  const { prepare } = snapshots
  let open = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  snapshots.prepare = async (...request) => {
    await gate
    return prepare(...request)
  }
  const podId = await bench.pod()
  const making = bench.container(podId)
  await settle()
  const removing = bench.runtime.removePodSandbox({ podSandboxId: podId }, call)
  const early = await Promise.race([removing, new Promise((resolve) => setTimeout(resolve, 100, 'waits'))])
  t.is(early, 'waits')
  open()
  await Promise.all([making, removing])
  t.is(prepared.size, 0)
  t.deepEqual((await bench.runtime.listContainers({ filter: undefined }, call)).containers, [])
})
