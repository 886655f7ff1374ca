import { type EndpointSlice, resources, type Service } from '../../src/api/index.ts'
import { Cleanup, silentLogger, systemClock } from '../../src/base/index.ts'
import { listRoutes } from '../../src/kernel/index.ts'
import { removeServiceTable, type ServiceProxy, startServiceProxy } from '../../src/services/index.ts'
import { FakeApi } from '../support/fake-api.ts'
import { inside } from '../support/inside.ts'
import { connectOutside, type TestNode, testNode } from '../support/pod-network.ts'
import { rootTest } from '../support/root.ts'
import { FakeSource, service, slice } from '../support/service-objects.ts'
import { ask, serve } from '../support/traffic.ts'

const serviceCidr = '10.43.0.0/16'
const web = { host: '10.43.0.80', port: 80 }

interface ProxiedNode extends AsyncDisposable {
  node: TestNode
  services: FakeSource<Service>
  slices: FakeSource<EndpointSlice>
  proxy: ServiceProxy
  /** Waits until the kernel holds what the sources say. */
  settled(): Promise<void>
  options: Parameters<typeof startServiceProxy>[0]
}

async function proxiedNode(services: Service[], slices: EndpointSlice[]): Promise<ProxiedNode> {
  const cleanup = new Cleanup()
  const node = await cleanup.use(testNode())
  const sources = { services: new FakeSource<Service>(), slices: new FakeSource<EndpointSlice>() }
  sources.services.set(...services)
  sources.slices.set(...slices)
  let applied = 0
  const nft = {
    ...node.nft,
    apply: async (text: string) => {
      await node.nft.apply(text)
      applied++
    },
  }
  const options = {
    ...sources,
    instance: 'keelson',
    serviceCidr,
    hostAddress: '10.42.0.1',
    runDirectory: node.namespaces.directory,
    clock: systemClock,
    log: silentLogger,
    host: { namespaceFd: node.host.fd, nft },
  }
  const proxy = await cleanup.use(startServiceProxy(options))
  await proxy.ready
  return {
    node,
    ...sources,
    proxy,
    options,
    async settled() {
      for (const before = applied; applied === before; ) await systemClock.sleep(5)
    },
    [Symbol.asyncDispose]: () => cleanup[Symbol.asyncDispose](),
  }
}

rootTest('a Service is reached from a host without default route, over TCP and UDP', async (t) => {
  const udp = { name: 'udp', port: 53, protocol: 'UDP' as const }
  await using made = await proxiedNode(
    [service('web', web.host, [{ name: 'http', port: 80 }, udp])],
    [
      slice(
        'web',
        ['10.42.0.2'],
        [
          { name: 'http', port: 8080 },
          { ...udp, port: 5353 },
        ],
      ),
    ],
  )
  t.false((await listRoutes(4, made.node.host.fd)).some(({ destination }) => destination === '0.0.0.0/0'))
  const a = await made.node.addPod('a')
  await using _tcp = await serve(a.net, 'a', { host: a.address, port: 8080 })
  await using _udp = await serve(a.net, 'a', { protocol: 'udp', host: a.address, port: 5353 })
  t.deepEqual(await ask(made.node.host, web), ['a saw 10.42.0.1'])
  t.deepEqual(await ask(made.node.host, { protocol: 'udp', host: web.host, port: 53 }), ['a saw 10.42.0.1'])
})

rootTest(
  'a Service is reached from another pod, which is seen by its own address, on every endpoint',
  async (t) => {
    await using made = await proxiedNode(
      [service('web', web.host)],
      [slice('web', ['10.42.0.2', '10.42.0.3'])],
    )
    const [a, b, client] = [
      await made.node.addPod('a'),
      await made.node.addPod('b'),
      await made.node.addPod('c'),
    ]
    await using _a = await serve(a.net, 'a', { host: a.address, port: 80 })
    await using _b = await serve(b.net, 'b', { host: b.address, port: 80 })
    const answers = await ask(client.net, web, { count: 40 })
    t.deepEqual([...new Set(answers)].sort(), ['a saw 10.42.0.4', 'b saw 10.42.0.4'])
  },
)

rootTest('a Service is reached from its own endpoint', async (t) => {
  await using made = await proxiedNode([service('web', web.host)], [slice('web', ['10.42.0.2'])])
  const a = await made.node.addPod('a')
  await using _a = await serve(a.net, 'a', { host: a.address, port: 80 })
  t.deepEqual(await ask(a.net, web, { count: 3 }), Array(3).fill('a saw 10.42.0.1'))
})

rootTest(
  'without endpoints, or on another port, a connection is refused at once, from host and pod',
  async (t) => {
    await using made = await proxiedNode([service('web', web.host)], [slice('web', [])])
    const client = await made.node.addPod('client')
    for (const net of [made.node.host, client.net]) {
      t.deepEqual(await ask(net, web), ['ECONNREFUSED'])
      t.deepEqual(await ask(net, { ...web, port: 81 }), ['ECONNREFUSED'])
      const [udp] = await ask(net, { ...web, protocol: 'udp' })
      // The host's own packet is refused before it leaves; a pod is told by ICMP.
      t.is(udp, net === client.net ? 'ECONNREFUSED' : 'EPERM')
    }
  },
)

rootTest('endpoints come and go; a change is one transaction and keeps the other Services', async (t) => {
  await using made = await proxiedNode([service('web', web.host)], [slice('web', ['10.42.0.2'])])
  const [a, b] = [await made.node.addPod('a'), await made.node.addPod('b')]
  await using _a = await serve(a.net, 'a', { host: '0.0.0.0', port: 80 })
  await using _b = await serve(b.net, 'b', { host: '0.0.0.0', port: 80 })
  t.deepEqual(await ask(made.node.host, web), ['a saw 10.42.0.1'])
  made.services.set(service('web', web.host), service('second', '10.43.0.81'))
  made.slices.set(slice('web', ['10.42.0.3']), slice('second', ['10.42.0.2']))
  await made.settled()
  t.deepEqual(await ask(made.node.host, web), ['b saw 10.42.0.1'])
  t.deepEqual(await ask(made.node.host, { host: '10.43.0.81', port: 80 }), ['a saw 10.42.0.1'])
  made.services.set(service('second', '10.43.0.81'))
  await made.settled()
  t.deepEqual(await ask(made.node.host, web), ['ECONNREFUSED'])
  t.deepEqual(await ask(made.node.host, { host: '10.43.0.81', port: 80 }), ['a saw 10.42.0.1'])
})

rootTest(
  'an address is released when it only ends, is not ready or is gone; unknown ones at once',
  async (t) => {
    const [a, b] = ['10.42.0.2', '10.42.0.3']
    await using made = await proxiedNode([service('web', web.host)], [slice('web', [a, b])])
    const { signal } = new AbortController()
    await made.proxy.released(['10.42.0.9'], signal)
    const order: string[] = []
    const released = made.proxy.released([a], signal).then(() => order.push('released'))
    made.slices.set(slice('web', [a]))
    await made.settled()
    order.push('still ready')
    made.slices.set(slice('web', [{ address: a, ready: false, serving: true, terminating: true }]))
    await released
    t.deepEqual(order, ['still ready', 'released'])
  },
)

rootTest('a UDP client that keeps its port is sent on to the endpoint that is left', async (t) => {
  const ports = [{ port: 53, protocol: 'UDP' as const }]
  await using made = await proxiedNode(
    [service('dns', web.host, ports)],
    [slice('dns', ['10.42.0.2'], ports)],
  )
  const [a, b, client] = [
    await made.node.addPod('a'),
    await made.node.addPod('b'),
    await made.node.addPod('c'),
  ]
  await using _a = await serve(a.net, 'a', { protocol: 'udp', host: a.address, port: 53 })
  await using _b = await serve(b.net, 'b', { protocol: 'udp', host: b.address, port: 53 })
  const dns = { protocol: 'udp', host: web.host, port: 53 } as const
  t.deepEqual(await ask(client.net, dns, { localPort: 4000 }), ['a saw 10.42.0.4'])
  made.slices.set(slice('dns', ['10.42.0.3'], ports))
  await made.settled()
  t.deepEqual(await ask(client.net, dns, { localPort: 4000 }), ['b saw 10.42.0.4'])
})

rootTest('session affinity: one client stays with one endpoint, also while others come', async (t) => {
  const sticky = service('web', web.host, [{ port: 80 }], { sessionAffinity: 'ClientIP' })
  await using made = await proxiedNode([sticky], [slice('web', ['10.42.0.2', '10.42.0.3'])])
  const [a, b, client] = [
    await made.node.addPod('a'),
    await made.node.addPod('b'),
    await made.node.addPod('c'),
  ]
  await using _a = await serve(a.net, 'a', { host: a.address, port: 80 })
  await using _b = await serve(b.net, 'b', { host: b.address, port: 80 })
  const before = new Set(await ask(client.net, web, { count: 10 }))
  t.is(before.size, 1)
  made.slices.set(slice('web', ['10.42.0.2', '10.42.0.3', '10.42.0.9', '10.42.0.10', '10.42.0.11']))
  await made.settled()
  t.deepEqual(new Set(await ask(client.net, web, { count: 10 })), before)
})

rootTest('a node port is reached from outside', async (t) => {
  const nodePort = service('web', web.host, [{ port: 80, nodePort: 30080 }], { type: 'NodePort' })
  await using made = await proxiedNode([nodePort], [slice('web', ['10.42.0.2'])])
  const outside = await connectOutside(made.node)
  const a = await made.node.addPod('a')
  await using _a = await serve(a.net, 'a', { host: a.address, port: 80 })
  t.deepEqual(await ask(outside, { host: '192.0.2.1', port: 30080 }), ['a saw 10.42.0.1'])
  t.deepEqual(await ask(made.node.host, { host: '192.0.2.1', port: 30080 }), ['a saw 10.42.0.1'])
  t.deepEqual(await ask(made.node.host, { host: '127.0.0.1', port: 30080 }), ['ECONNREFUSED'])
})

rootTest('the real nft agrees: a series of changes gives the same rules as writing them anew', async (t) => {
  await using made = await proxiedNode([], [])
  const states: [Service[], EndpointSlice[]][] = [
    [[service('a', '10.43.0.1'), service('b', '10.43.0.2', [{ port: 1, nodePort: 30001 }], { type: 'NodePort' })], [slice('a', ['10.42.0.2', '10.42.0.3']), slice('b', ['10.42.0.2'])]],
    [[service('a', '10.43.0.1', [{ port: 80 }], { sessionAffinity: 'ClientIP' })], [slice('a', ['10.42.0.2', '10.42.0.3'])]],
    [[service('a', '10.43.0.1', [{ port: 80 }], { sessionAffinity: 'ClientIP' }), service('b', '10.43.0.2', [{ port: 1, protocol: 'SCTP' }])], [slice('a', ['10.42.0.3', '10.42.0.4']), slice('b', ['10.42.0.9'], [{ port: 5, protocol: 'SCTP' }])]],
    [[service('a', '10.43.0.3')], [slice('a', ['10.42.0.4'])]],
    [[], []],
  ] // biome-ignore format: one state per line
  for (const [services, slices] of states) {
    made.services.set(...services)
    made.slices.set(...slices)
    // Emptied sources tell nobody; a slice of nothing does.
    if (slices.length === 0) made.slices.set(slice('nothing', []))
    await made.settled()
    const changed = await listTable(made)
    await using anew = await startServiceProxy({ ...made.options, instance: 'anew' })
    await anew.ready
    t.true(changed.length > 20)
    t.deepEqual(changed, await listTable(made, 'anew-services'))
  }
})

rootTest('when nft refuses, the whole table is written again after a while', async (t) => {
  await using made = await proxiedNode([service('web', web.host)], [slice('web', ['10.42.0.2'])])
  await inside({ net: made.node.host }, 'nft', 'delete', 'table', 'ip', 'keelson-services')
  made.slices.set(slice('web', ['10.42.0.2', '10.42.0.3']))
  await made.settled()
  t.true((await listTable(made)).some((line) => line.includes('10.42.0.3')))
})

rootTest('given a client it watches itself; what is brought in one turn is one transaction', async (t) => {
  await using node = await testNode()
  const api = new FakeApi()
  for (let index = 1; index <= 20; index++) {
    await api.client.create(resources.services, service(`web-${index}`, `10.43.0.${index}`))
    await api.client.create(resources.endpointslices, slice(`web-${index}`, ['10.42.0.2']))
  }
  const texts: string[] = []
  const nft = {
    ...node.nft,
    apply: async (text: string) => {
      texts.push(text)
      await node.nft.apply(text)
    },
  }
  await using proxy = await startServiceProxy({
    client: api.client,
    instance: 'keelson',
    serviceCidr,
    runDirectory: node.namespaces.directory,
    clock: systemClock,
    log: silentLogger,
    host: { namespaceFd: node.host.fd, nft },
  })
  await proxy.ready
  t.is(texts.length, 1)
  t.is(texts[0]?.match(/add rule/g)?.length, 20)
})

rootTest('what is in force stays until the informers know', async (t) => {
  await using made = await proxiedNode([service('web', web.host)], [slice('web', ['10.42.0.2'])])
  await made.proxy[Symbol.asyncDispose]()
  made.services.synced = new Promise(() => {})
  made.services.set()
  const before = await listTable(made)
  await using _restarted = await startServiceProxy(made.options)
  await systemClock.sleep(50)
  t.deepEqual(await listTable(made), before)
  t.true(before.some((line) => line.includes('10.42.0.2')))
})

rootTest('removing leaves neither table nor route, and is repeatable', async (t) => {
  await using made = await proxiedNode([service('web', web.host)], [slice('web', ['10.42.0.2'])])
  await made.proxy[Symbol.asyncDispose]()
  await removeServiceTable(made.options)
  await removeServiceTable(made.options)
  t.notRegex(await inside({ net: made.node.host }, 'nft', 'list', 'tables'), /services/)
  t.deepEqual(await listRoutes(4, made.node.host.fd), [])
})

/** The table's changing parts, sorted, without its name. */
async function listTable(made: ProxiedNode, table = 'keelson-services'): Promise<string[]> {
  const text = await inside({ net: made.node.host }, 'nft', '--stateless', 'list', 'table', 'ip', table)
  return text.replaceAll(table, 'table').split('\n').sort()
}
