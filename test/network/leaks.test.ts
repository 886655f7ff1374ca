/** Alone in its file: it counts the descriptors of its process. */
import { readdir } from 'node:fs/promises'
import { listLinks, listRoutes } from '../../src/kernel/index.ts'
import { eventually } from '../support/eventually.ts'
import { podRequest, testNode } from '../support/pod-network.ts'
import { rootTest } from '../support/root.ts'

rootTest(
  'thirty pods at once: each its own address, then nothing left, and no descriptor either',
  async (t) => {
    await using node = await testNode()
    const { pins } = node.namespaces
    const ids = Array.from({ length: 30 }, (_, index) => `pod-${index}`)
    const descriptors = (await readdir('/proc/self/fd')).length
    const addresses = await Promise.all(
      ids.map(async (id) => {
        await pins.create({ id, network: true, ipc: true, uts: { hostname: id }, shmSizeBytes: 1 << 20 })
        using net = await pins.open(id, 'network')
        const { addresses: given } = await node.network.setUp(podRequest(id, net))
        return given[0]
      }),
    )
    t.is(new Set(addresses).size, 30)
    t.is((await listRoutes(4, node.host.fd)).length, 30)
    await Promise.all(
      ids.map(async (id) => {
        await node.network.tearDown(id)
        await pins.remove(id)
      }),
    )
    t.deepEqual(await listRoutes(4, node.host.fd), [])
    t.deepEqual(await pins.list(), ['node'])
    await eventually(
      'links gone',
      async () => (await listLinks(node.host.fd)).every(({ name }) => !name.startsWith('kee')),
      10_000,
    )
    t.is((await readdir('/proc/self/fd')).length, descriptors)
  },
)
