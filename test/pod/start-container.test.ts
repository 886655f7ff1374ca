import test from 'ava'
import { ContainerState } from '../../cri/types.ts'
import { KeelsonError } from '../../src/base/index.ts'
import { Bench, call } from '../support/pod-bench.ts'

test("the pod's shared memory is handed in unless the caller mounts something at its place", async (t) => {
  await using bench = await Bench.open()
  const podId = await bench.pod()
  const image = { image: 'nginx:1.7.9' }
  const start = async (name: string, mounts: object[]) => {
    const containerId = await bench.container(podId, { metadata: { name }, mounts })
    await bench.runtime.startContainer({ containerId }, call)
    const { spec, mountFds, layerMounts } = bench.host.runtime.requests.at(-1) ?? {}
    const source = spec?.mounts?.find(({ destination }) => destination === '/dev/shm')?.source
    return { source, handed: Object.keys(mountFds ?? {}), layers: Object.keys(layerMounts ?? {}) }
  }
  const elsewhere = [{ containerPath: '/shm', hostPath: bench.path }]
  t.deepEqual(await start('pod', elsewhere), { source: 'shm', handed: ['/dev/shm'], layers: [] })
  const volume = [{ containerPath: '/dev/./shm/', hostPath: bench.path }]
  t.deepEqual(await start('volume', volume), { source: bench.path, handed: [], layers: [] })
  const layers = [{ containerPath: '/dev/shm', readonly: true, image }]
  t.deepEqual(await start('image', layers), {
    source: 'image nginx:1.7.9',
    handed: [],
    layers: ['/dev/shm'],
  })
})

test('a start that cannot be recorded has ended before the failure is', async (t) => {
  await using bench = await Bench.open()
  const { host, ledger } = bench
  const id = await bench.container(await bench.pod())
  const commit = ledger.commit.bind(ledger)
  const running: number[] = []
  ledger.commit = async (...request) => {
    running.push(host.runtime.containers.size)
    if (running.length === 1) throw new KeelsonError('RESOURCE_EXHAUSTED', 'no space left')
    return commit(...request)
  }
  await t.throwsAsync(bench.runtime.startContainer({ containerId: id }, call), { message: 'no space left' })
  t.deepEqual(running, [1, 0])
  const { state, exitCode, reason, message } = await bench.status(id)
  t.deepEqual(
    [state, exitCode, reason, message],
    [ContainerState.CONTAINER_EXITED, 128, 'StartError', 'no space left'],
  )
})
