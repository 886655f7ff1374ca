/** The built-in network with an IPv4 and an IPv6 range. */
import {
  changeNetwork,
  inNamespace,
  listAddresses,
  listLinks,
  listRoutes,
  readSysctl,
  setAddress,
  setRoute,
  writeSysctl,
} from '../../src/kernel/index.ts'
import { createPodNetwork } from '../../src/network/index.ts'
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

const ranges = { podCidr: '10.42.0.0/24,fd00:42::/64', clusterCidr: '10.42.0.0/16,fd00:42::/48' }

/** 2001:db8::1 on the node, 2001:db8::2 outside, which knows nothing of pods. */
async function connectOutside6(node: TestNode) {
  const outside = await connectOutside(node)
  const indexOf = async (fd: number) => (await listLinks(fd)).find(({ name }) => name === 'eth0')?.index ?? 0
  const [here, there] = [await indexOf(node.host.fd), await indexOf(outside.fd)]
  await changeNetwork([
    ...inNamespace(outside.fd, setAddress({ address: '2001:db8::2/64', linkIndex: there })),
    ...inNamespace(
      node.host.fd,
      setAddress({ address: '2001:db8::1/64', linkIndex: here }),
      setRoute({ destination: '::/0', gateway: '2001:db8::2', linkIndex: here }),
    ),
  ])
  return outside
}

rootTest('every pod has an address of each family, and both lead everywhere', async (t) => {
  await using node = await testNode(ranges)
  const outside = await connectOutside6(node)
  const [a, b] = [await node.addPod('a'), await node.addPod('b')]
  t.deepEqual(
    [a.addresses, b.addresses],
    [
      ['10.42.0.2', 'fd00:42::2'],
      ['10.42.0.3', 'fd00:42::3'],
    ],
  )
  await using _a = await serve(a.net, 'a', { host: '::', port: 80 })
  await using _host = await serve(node.host, 'host', { host: 'fd00:42::1', port: 81 })
  await using _outside = await serve(outside, 'outside', { host: '::', port: 80 })
  t.deepEqual(await ask(node.host, { host: 'fd00:42::2', port: 80 }), ['a saw fd00:42::1'])
  t.deepEqual(await ask(b.net, { host: 'fd00:42::2', port: 80 }), ['a saw fd00:42::3'])
  t.deepEqual(await ask(b.net, { host: '10.42.0.2', port: 80 }), ['a saw 10.42.0.3'])
  t.deepEqual(await ask(b.net, { host: 'fd00:42::1', port: 81 }), ['host saw fd00:42::3'])
  t.deepEqual(await ask(b.net, { host: '2001:db8::2', port: 80 }), ['outside saw 2001:db8::1'])
  t.deepEqual(await ask(b.net, { host: '192.0.2.2', port: 80 }), ['outside saw 192.0.2.1'])
  await node.network.check('a')
  await node.network.tearDown('a')
  t.deepEqual(await ask(b.net, { host: 'fd00:42::2', port: 80 }), ['ECONNREFUSED'])
  t.deepEqual(
    (await listRoutes(6, node.host.fd)).filter(({ destination }) => destination.startsWith('fd00:42::2')),
    [],
  )
})

rootTest('host ports in IPv6: from outside, from the host, from pods, by one address only', async (t) => {
  await using node = await testNode(ranges)
  const outside = await connectOutside6(node)
  const portMappings = [
    { protocol: 'tcp', hostPort: 8080, containerPort: 80 },
    { protocol: 'tcp', hostPort: 8081, containerPort: 80, hostIp: '2001:db8::1' },
    { protocol: 'tcp', hostPort: 8082, containerPort: 80, hostIp: '0.0.0.0' },
  ] as const
  const a = await node.addPod('a', { portMappings })
  const b = await node.addPod('b')
  await using _a = await serve(a.net, 'a', { host: '::', port: 80 })
  t.deepEqual(await ask(outside, { host: '2001:db8::1', port: 8080 }), ['a saw 2001:db8::2'])
  t.deepEqual(await ask(outside, { host: '192.0.2.1', port: 8080 }), ['a saw 192.0.2.2'])
  t.deepEqual(await ask(outside, { host: '2001:db8::1', port: 8081 }), ['a saw 2001:db8::2'])
  t.deepEqual(await ask(outside, { host: '192.0.2.1', port: 8081 }), ['ECONNREFUSED'])
  t.deepEqual(await ask(outside, { host: '2001:db8::1', port: 8082 }), ['ECONNREFUSED'])
  t.deepEqual(await ask(node.host, { host: '::1', port: 8080 }), ['ECONNREFUSED'], 'not by ::1, and at once')
  t.deepEqual(await ask(node.host, { host: '127.0.0.1', port: 8082 }), ['a saw 10.42.0.1'])
  t.deepEqual(await ask(b.net, { host: 'fd00:42::1', port: 8080 }), ['a saw fd00:42::3'])
  t.deepEqual(await ask(a.net, { host: 'fd00:42::1', port: 8080 }), ['a saw fd00:42::1'])
})

rootTest(
  'a pod cannot speak with an IPv6 address of another, nor with one of a node without IPv6',
  async (t) => {
    for (const more of [ranges, {}]) {
      await using node = await testNode(more)
      const b = await node.addPod('b')
      await using _host = await serve(node.host, 'host', { protocol: 'udp', host: '::', port: 81 })
      await inside({ net: node.host }, 'ip', '-6', 'address', 'add', 'fd00:77::1/128', 'dev', 'lo')
      await inside({ net: b.net }, 'ip', '-6', 'address', 'add', 'fd00:42::99/128', 'dev', 'eth0', 'nodad')
      await inside(
        { net: b.net },
        'ip',
        '-6',
        'neighbour',
        'replace',
        'fe80::2',
        'lladdr',
        '02:6b:65:65:6c:01',
        'dev',
        'eth0',
      )
      await inside(
        { net: b.net },
        'ip',
        '-6',
        'route',
        'replace',
        'fd00:77::1',
        'via',
        'fe80::2',
        'dev',
        'eth0',
        'src',
        'fd00:42::99',
      )
      t.deepEqual(await ask(b.net, { protocol: 'udp', host: 'fd00:77::1', port: 81 }, { timeoutMs: 700 }), [
        'ETIMEDOUT',
      ])
      const dropped = await inside(
        { net: node.host },
        'nft',
        'list',
        'chain',
        'inet',
        'keelson-pods',
        'from-pods',
      )
      t.regex(dropped, /ip6 saddr != /)
    }
  },
)

rootTest('leases of both families outlive the daemon, and the host is put back as it was', async (t) => {
  await using made = await testNodeOptions()
  const { host } = made
  await inside({ net: host }, 'ip', 'link', 'add', 'uplink', 'type', 'veth', 'peer', 'name', 'far')
  await writeSysctl('net/ipv6/conf/all/forwarding', '0', host.fd)
  await using node = await testNode(ranges, made)
  t.is(await readSysctl('net/ipv6/conf/all/forwarding', host.fd), '1')
  t.is(await readSysctl('net/ipv6/conf/uplink/accept_ra', host.fd), '2')
  await node.addPod('a')
  await using restarted = await createPodNetwork(node.options)
  t.deepEqual(restarted.find('a'), { addresses: ['10.42.0.2', 'fd00:42::2'] })
  const b = await node.namespaces.get('b')
  t.deepEqual((await restarted.setUp(podRequest('b', b))).addresses, ['10.42.0.3', 'fd00:42::3'])
  for (const id of ['a', 'b']) await restarted.tearDown(id)
  await node.restoreHost()
  t.is(await readSysctl('net/ipv6/conf/all/forwarding', host.fd), '0')
  t.is(await readSysctl('net/ipv6/conf/uplink/accept_ra', host.fd), '1')
  const left = (await listAddresses(host.fd)).map(({ address }) => address)
  t.deepEqual(
    left.filter((address) => address.startsWith('fd00')),
    [],
  )
})

rootTest('an IPv6 range on a host without IPv6 is refused with what to do', async (t) => {
  await using made = await testNodeOptions()
  await writeSysctl('net/ipv6/conf/default/disable_ipv6', '1', made.host.fd)
  const error = await t.throwsAsync(createPodNetwork({ ...made.options, ...ranges }), {
    code: 'FAILED_PRECONDITION',
  })
  t.like(error, { message: 'IPv6 is switched off on this host' })
})

rootTest('bandwidth: limits on both ends of the link, enforced by the kernel', async (t) => {
  await using node = await testNode()
  const annotations = { 'kubernetes.io/ingress-bandwidth': '8M', 'kubernetes.io/egress-bandwidth': '40G' }
  const { net } = await node.addPod('a', { annotations })
  t.regex(
    await inside({ net: node.host }, 'tc', 'qdisc', 'show'),
    /tbf 1: dev kee\S+ root .*rate 8Mbit burst 100000b/,
  )
  t.regex(await inside({ net }, 'tc', 'qdisc', 'show', 'dev', 'eth0'), /tbf 1: root .*rate 40Gbit/)
  await t.throwsAsync(node.addPod('b', { annotations: { 'kubernetes.io/egress-bandwidth': '1' } }), {
    code: 'INVALID_ARGUMENT',
  })
  t.deepEqual(node.network.list(), ['a'])
})
