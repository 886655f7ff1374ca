import test from 'ava'
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
