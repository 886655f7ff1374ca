import test from 'ava'
import { ContainerState } from '../../cri/types.ts'
import { hasCode } from '../../src/base/index.ts'
import { settle } from '../support/fake-clock.ts'
import { Bench, call } from '../support/pod-bench.ts'

/** A pod with a container whose start is asked for when the network of the pod is taken down. */
async function scene() {
  const bench = await Bench.open()
  const podId = await bench.pod()
  const containerId = await bench.container(podId)
  const { network } = bench.host
  const tearDown = network.tearDown.bind(network)
  const start = () => bench.runtime.startContainer({ containerId }, call)
  const stop = (meanwhile: () => Promise<unknown>) => {
    network.tearDown = async (id) => {
      await meanwhile()
      await tearDown(id)
    }
    return bench.runtime.stopPodSandbox({ podSandboxId: podId }, call)
  }
  return { bench, containerId, start, stop }
}

test('a container that starts while its pod is being stopped is stopped with it', async (t) => {
  const { bench, containerId, start, stop } = await scene()
  await using _bench = bench
  await stop(start)
  const { state, exitCode } = await bench.status(containerId)
  t.deepEqual([state, exitCode], [ContainerState.CONTAINER_EXITED, 137])
  t.true(hasCode(await t.throwsAsync(start()), 'FAILED_PRECONDITION'))
})

test('a start that is still on its way when the pod is NOTREADY is waited for', async (t) => {
  const { bench, containerId, start, stop } = await scene()
  await using _bench = bench
  let open = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const { snapshots } = bench.host.images
  const { prepare } = snapshots
  snapshots.prepare = async (...request) => {
    await gate
    return prepare(...request)
  }
  let starting: Promise<unknown> = Promise.resolve()
  const stopping = stop(async () => {
    starting = start()
    await settle()
  })
  const early = await Promise.race([stopping, new Promise((resolve) => setTimeout(resolve, 100, 'waits'))])
  t.is(early, 'waits')
  open()
  await Promise.all([stopping, starting])
  t.is((await bench.status(containerId)).state, ContainerState.CONTAINER_EXITED)
})
