import { KeelsonError } from '../../src/base/index.ts'
import {
  listAddresses,
  listLinks,
  listRoutes,
  readSysctl,
  removePinNamespace,
} from '../../src/kernel/index.ts'
import { createPodNetwork } from '../../src/network/index.ts'
import { eventually } from '../support/eventually.ts'
import { inside } from '../support/inside.ts'
import {
  connectOutside,
  podRequest,
  type TestNode,
  testNode,
  testNodeOptions,
} from '../support/pod-network.ts'
import { rootTest } from '../support/root.ts'
import { ask, serve } from '../support/traffic.ts'

rootTest('host to pod, pod to host, pod to pod: each sees the other by its own address', async (t) => {
  await using node = await testNode()
  const [a, b] = [await node.addPod('a'), await node.addPod('b')]
  t.deepEqual([a.address, b.address], ['10.42.0.2', '10.42.0.3'])
  await using _a = await serve(a.net, 'a', { host: a.address, port: 80 })
  await using _host = await serve(node.host, 'host', { host: '10.42.0.1', port: 81 })
  t.deepEqual(await ask(node.host, { host: a.address, port: 80 }), ['a saw 10.42.0.1'])
  t.deepEqual(await ask(b.net, { host: a.address, port: 80 }), ['a saw 10.42.0.3'])
  t.deepEqual(await ask(b.net, { host: '10.42.0.1', port: 81 }), ['host saw 10.42.0.3'])
})

rootTest('a pod reaches the outside with the address of the node', async (t) => {
  await using node = await testNode()
  const outside = await connectOutside(node)
  const a = await node.addPod('a')
  await using _tcp = await serve(outside, 'outside', { host: '192.0.2.2', port: 80 })
  await using _udp = await serve(outside, 'outside', { protocol: 'udp', host: '192.0.2.2', port: 80 })
  t.deepEqual(await ask(a.net, { host: '192.0.2.2', port: 80 }), ['outside saw 192.0.2.1'])
  t.deepEqual(await ask(a.net, { protocol: 'udp', host: '192.0.2.2', port: 80 }), ['outside saw 192.0.2.1'])
})

rootTest('a host port is reached from outside, from the host by 127.0.0.1, and from pods', async (t) => {
  await using node = await testNode()
  const outside = await connectOutside(node)
  const a = await node.addPod('a', { portMappings: [{ protocol: 'tcp', hostPort: 8080, containerPort: 80 }] })
  const b = await node.addPod('b')
  await using _a = await serve(a.net, 'a', { host: '0.0.0.0', port: 80 })
  t.deepEqual(await ask(outside, { host: '192.0.2.1', port: 8080 }), ['a saw 192.0.2.2'])
  t.deepEqual(await ask(node.host, { host: '192.0.2.1', port: 8080 }), ['a saw 192.0.2.1'])
  t.deepEqual(await ask(node.host, { host: '127.0.0.1', port: 8080 }), ['a saw 10.42.0.1'])
  t.deepEqual(await ask(b.net, { host: '192.0.2.1', port: 8080 }), ['a saw 10.42.0.3'])
  t.deepEqual(await ask(a.net, { host: '192.0.2.1', port: 8080 }), ['a saw 10.42.0.1'])
  await node.network.tearDown('a')
  t.deepEqual(await ask(outside, { host: '192.0.2.1', port: 8080 }), ['ECONNREFUSED'])
})

rootTest('a client that keeps its port reaches the next pod at a host port, over UDP too', async (t) => {
  await using node = await testNode()
  const outside = await connectOutside(node)
  const portMappings = [{ protocol: 'udp', hostPort: 5353, containerPort: 53 }] as const
  const here = { protocol: 'udp', host: '192.0.2.1', port: 5353 } as const
  const same = () => ask(outside, here, { localPort: 40_000, timeoutMs: 3000 })
  t.deepEqual(await same(), ['ECONNREFUSED'])
  const a = await node.addPod('a', { portMappings })
  const server = await serve(a.net, 'a', { protocol: 'udp', host: '0.0.0.0', port: 53 })
  t.deepEqual(await same(), ['a saw 192.0.2.2'])
  await server[Symbol.asyncDispose]()
  await node.network.tearDown('a')
  const b = await node.addPod('b', { portMappings })
  await using _b = await serve(b.net, 'b', { protocol: 'udp', host: '0.0.0.0', port: 53 })
  t.deepEqual(await same(), ['b saw 192.0.2.2'])
})

rootTest('a host port that is taken is refused by name, and nothing of the second pod stays', async (t) => {
  await using node = await testNode()
  const portMappings = [{ protocol: 'tcp', hostPort: 8080, containerPort: 80 }] as const
  await node.addPod('a', { portMappings })
  const error = await t.throwsAsync(node.addPod('b', { portMappings }), { code: 'ALREADY_EXISTS' })
  t.like(error, { hint: 'it belongs to pod default/a' })
  t.deepEqual(node.network.list(), ['a'])
  await node.addPod('b', { portMappings: [{ ...portMappings[0], protocol: 'udp' }] })
})

rootTest(
  'a pod that is gone refuses at once, to host and pods; nothing for it leaves the node',
  async (t) => {
    await using node = await testNode()
    const outside = await connectOutside(node)
    await inside({ net: outside }, 'ip', 'address', 'add', '10.42.0.2/32', 'dev', 'lo')
    await using _elsewhere = await serve(outside, 'elsewhere', { host: '10.42.0.2', port: 80 })
    const [a, b] = [await node.addPod('a'), await node.addPod('b')]
    await node.network.tearDown('a')
    for (const net of [node.host, b.net])
      t.deepEqual(await ask(net, { host: a.address, port: 80 }), ['ECONNREFUSED'])
  },
)

rootTest('a pod cannot speak with the address of another', async (t) => {
  await using node = await testNode()
  const [a, b] = [await node.addPod('a'), await node.addPod('b')]
  await using _a = await serve(a.net, 'a', { protocol: 'udp', host: a.address, port: 80 })
  await using _host = await serve(node.host, 'host', { host: '10.42.0.1', port: 81 })
  await inside({ net: b.net }, 'ip', 'address', 'add', '10.42.0.99/32', 'dev', 'eth0')
  const spoofed = await ask(
    b.net,
    { host: '10.42.0.1', port: 81 },
    { localAddress: '10.42.0.99', timeoutMs: 1500 },
  )
  t.deepEqual(spoofed, ['ETIMEDOUT'])
  t.deepEqual(await ask(b.net, { host: '10.42.0.1', port: 81 }), ['host saw 10.42.0.3'])
})

rootTest('setting up twice gives the first result; another life of the daemon knows it too', async (t) => {
  await using node = await testNode()
  const a = await node.addPod('a')
  const again = await Promise.all([1, 2, 3].map(() => node.network.setUp(podRequest('a', a.net))))
  t.deepEqual(
    again.map(({ addresses }) => addresses),
    [['10.42.0.2'], ['10.42.0.2'], ['10.42.0.2']],
  )
  await using restarted = await createPodNetwork(node.options)
  t.deepEqual(restarted.find('a'), { addresses: ['10.42.0.2'] })
  t.deepEqual(await restarted.setUp(podRequest('a', a.net)), { addresses: ['10.42.0.2'] })
  await using _a = await serve(a.net, 'a', { host: a.address, port: 80 })
  t.deepEqual(await ask(node.host, { host: a.address, port: 80 }), ['a saw 10.42.0.1'])
  const b = await node.namespaces.get('b')
  t.deepEqual(await restarted.setUp(podRequest('b', b)), { addresses: ['10.42.0.3'] })
})

rootTest(
  'a sandbox whose namespace was lost is connected to its new one under the same address',
  async (t) => {
    await using node = await testNode()
    await node.addPod('a')
    await using restarted = await createPodNetwork(node.options)
    const replaced = await node.namespaces.get('a-again')
    t.deepEqual(await restarted.setUp(podRequest('a', replaced)), { addresses: ['10.42.0.2'] })
    await using _a = await serve(replaced, 'new', { host: '10.42.0.2', port: 80 })
    t.deepEqual(await ask(node.host, { host: '10.42.0.2', port: 80 }), ['new saw 10.42.0.1'])
  },
)

rootTest('what cannot be set up leaves no lease and no link', async (t) => {
  await using node = await testNode()
  const taken = await node.namespaces.get('taken')
  await inside({ net: taken }, 'ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1')
  await t.throwsAsync(node.network.setUp(podRequest('taken', taken)), { code: 'ALREADY_EXISTS' })
  t.deepEqual(node.network.list(), [])
  t.deepEqual(await linkNames(node), ['lo'])
  const aborted = podRequest('a', taken, { signal: AbortSignal.abort() })
  await t.throwsAsync(node.network.setUp(aborted), { code: 'CANCELLED' })
})

rootTest(
  'after tearing down, no lease, route or link is left, also when the namespace went first',
  async (t) => {
    await using node = await testNode()
    for (const id of ['a', 'b']) {
      await node.namespaces.pins.create({ id, network: true, ipc: false })
      using net = await node.namespaces.pins.open(id, 'network')
      await node.network.setUp(podRequest(id, net))
    }
    await node.network.tearDown('a')
    await node.namespaces.pins.remove('a')
    await node.namespaces.pins.remove('b')
    await node.network.tearDown('b')
    await node.network.tearDown('b')
    t.deepEqual(node.network.list(), [])
    t.deepEqual([...node.ledger.range({ start: 'network/lease/', end: 'network/lease0' })], [])
    t.deepEqual(await listRoutes(4, node.host.fd), [])
    await eventually('links gone', async () => (await linkNames(node)).length === 1, 10_000)
  },
)

rootTest('a lease outlives a failure to take its rules away: the next try does all of it', async (t) => {
  await using made = await testNodeOptions()
  let isBroken = false
  const apply = async (text: string) => {
    if (isBroken) throw new KeelsonError('INTERNAL', 'nft is broken')
    await made.nft.apply(text)
  }
  await using node = await testNode(
    { host: { namespaceFd: made.host.fd, nft: { ...made.nft, apply } } },
    made,
  )
  const portMappings = [{ protocol: 'tcp', hostPort: 8080, containerPort: 80 }] as const
  const { net } = await node.addPod('a', { portMappings })
  const rules = () => inside({ net: node.host }, 'nft', 'list', 'map', 'inet', 'keelson-pods', 'host-ports')
  isBroken = true
  await t.throwsAsync(node.network.tearDown('a'), { message: 'nft is broken' })
  t.deepEqual(node.network.list(), ['a'])
  await t.throwsAsync(
    node.addPod('b', { portMappings }),
    { code: 'ALREADY_EXISTS' },
    'its port is not free yet',
  )
  await using restarted = await createPodNetwork({
    ...node.options,
    host: { namespaceFd: made.host.fd, nft: made.nft },
  })
  t.deepEqual(restarted.list(), ['a'], 'nor is it forgotten by the next process')
  isBroken = false
  await node.network.setUp(podRequest('a', net, { portMappings }))
  t.regex(await rules(), /8080 : 10\.42\.0\.2 \. 80/)
  isBroken = true
  await node.network.abandon('a')
  isBroken = false
  await node.network.tearDown('a')
  t.notRegex(await rules(), /8080/)
  t.deepEqual(node.network.list(), [])
  t.deepEqual([...node.ledger.range({ start: 'network/lease/', end: 'network/lease0' })], [])
})

rootTest('restoring the host undoes what was changed, also from another process and twice', async (t) => {
  await using node = await testNode()
  t.is(await readSysctl('net/ipv4/ip_forward', node.host.fd), '1')
  await node.addPod('a', { portMappings: [{ protocol: 'tcp', hostPort: 8080, containerPort: 80 }] })
  await using _restarted = await createPodNetwork(node.options)
  await node.restoreHost()
  t.is(await readSysctl('net/ipv4/ip_forward', node.host.fd), '0')
  t.is(await inside({ net: node.host }, 'nft', 'list', 'ruleset'), '')
  t.deepEqual(await linkNames(node), ['lo'])
  t.deepEqual(
    (await listAddresses(node.host.fd)).map(({ address }) => address),
    ['127.0.0.1/8', '::1/128'],
  )
  await node.restoreHost()
  t.is(await readSysctl('net/ipv4/ip_forward', node.host.fd), '0')
  await removePinNamespace({ runDirectory: node.namespaces.directory })
})

rootTest('of two instances on one host the first to go leaves forwarding to the other', async (t) => {
  await using node = await testNode()
  const second = {
    instance: 'second',
    podCidr: '10.44.0.0/24',
    dataDirectory: `${node.namespaces.directory}/second`,
  }
  await using _second = await createPodNetwork({ ...node.options, clusterCidr: '10.44.0.0/24', ...second })
  await node.restoreHost()
  t.is(await readSysctl('net/ipv4/ip_forward', node.host.fd), '1')
  t.deepEqual(await node.nft.tables(), ['inet second-pods'])
})

async function linkNames(node: TestNode): Promise<string[]> {
  return (await listLinks(node.host.fd)).map(({ name }) => name).filter((name) => !name.startsWith('ifb'))
}
