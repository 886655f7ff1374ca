/** Debian's reference plugins, on a network namespace that stands for the machine's. */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { Cleanup, type Clock, silentLogger } from '../../src/base/index.ts'
import { listLinks } from '../../src/kernel/index.ts'
import { CniNetwork } from '../../src/network/cni-network.ts'
import type { PodNetworkRequest } from '../../src/network/index.ts'
import { CniFolders } from '../support/cni-folders.ts'
import { eventually } from '../support/eventually.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { inside } from '../support/inside.ts'
import { testNamespaces } from '../support/network-namespaces.ts'
import { findPeer } from '../support/peers.ts'
import { podRequest } from '../support/pod-network.ts'
import { rootTest } from '../support/root.ts'
import { skipWithout } from '../support/skip.ts'
import { ask, serve } from '../support/traffic.ts'

const isThere = findPeer('cni-bridge') !== undefined && findPeer('iptables') !== undefined
const pluginTest = skipWithout('containernetworking-plugins, iptables', isThere, rootTest)

async function scene(t: ExecutionContext) {
  const cleanup = new Cleanup()
  t.teardown(() => cleanup[Symbol.asyncDispose]())
  const namespaces = await cleanup.use(testNamespaces())
  const host = await namespaces.get('node')
  const folders = await CniFolders.make(namespaces.directory)
  await folders.installReal(host)
  const ipamDirectory = join(namespaces.directory, 'ipam')
  const options = {
    ...folders.options(namespaces.pins),
    log: silentLogger,
  }
  const network = await cleanup.use(CniNetwork.open(options))
  return {
    namespaces,
    host,
    folders,
    network,
    open: (more: { clock?: Clock; garbageCollect?: boolean } = {}) =>
      CniNetwork.open({ ...options, ...more }),
    configure: (plugins: readonly object[], more: object = {}) =>
      folders.configure('10-test.conflist', { cniVersion: '1.0.0', name: 'test', plugins, ...more }),
    ipam: (...subnets: string[]) => ({
      type: 'host-local',
      dataDir: ipamDirectory,
      ranges: subnets.map((subnet) => [{ subnet }]),
      routes: [{ dst: '0.0.0.0/0' }],
    }),
    /** Addresses that host-local has given out. */
    async leases() {
      const folder = join(ipamDirectory, 'test')
      const names = existsSync(folder) ? await readdir(folder) : []
      return names.filter((name) => /^[\da-f.:]+$/.test(name))
    },
    async addPod(id: string, request: Partial<PodNetworkRequest> = {}) {
      const net = await namespaces.get(id)
      const { addresses } = await network.setUp(podRequest(id, net, request))
      return { net, addresses, address: addresses[0] ?? '' }
    },
  }
}

const bridge = { type: 'bridge', bridge: 'cni0', isGateway: true, ipMasq: true, hairpinMode: true }

pluginTest(
  'bridge, host-local, portmap, firewall: pods speak, a host port leads in, nothing stays',
  async (t) => {
    const { network, host, addPod, folders, configure, ipam, leases } = await scene(t)
    await configure([
      { ...bridge, ipam: ipam('10.88.0.0/24') },
      { type: 'portmap', capabilities: { portMappings: true }, snat: true },
      { type: 'firewall' },
    ])
    t.deepEqual(await network.status(), { ready: true, reason: '', message: '' })
    const a = await addPod('a', { portMappings: [{ protocol: 'tcp', hostPort: 8080, containerPort: 80 }] })
    const b = await addPod('b')
    t.deepEqual([a.addresses, b.addresses], [['10.88.0.2'], ['10.88.0.3']])
    await using _a = await serve(a.net, 'a', { host: '0.0.0.0', port: 80 })
    t.deepEqual(await ask(b.net, { host: a.address, port: 80 }), ['a saw 10.88.0.3'])
    t.deepEqual(await ask(host, { host: '10.88.0.1', port: 8080 }), ['a saw 10.88.0.1'])
    await network.tearDown('a')
    await network.tearDown('b')
    t.deepEqual(await folders.attachments(), [])
    t.deepEqual(await leases(), [])
    const links = (await listLinks(host.fd)).map(({ name }) => name)
    t.deepEqual(
      links.filter((name) => name.startsWith('veth')),
      [],
    )
    t.notRegex(await inside({ net: host }, 'nft', 'list', 'ruleset'), /10\.88\.0\.[23]|dport 8080/)
  },
)

pluginTest(
  'CHECK finds what was changed; a later process calls CHECK and DEL by the same path',
  async (t) => {
    const { addPod, configure, ipam, open, leases } = await scene(t)
    await configure([
      { ...bridge, ipam: ipam('10.88.0.0/24') },
      { type: 'tuning', sysctl: { 'net.core.somaxconn': '500' } },
    ])
    const { net } = await addPod('a')
    t.is(await inside({ net }, 'sysctl', '-n', 'net.core.somaxconn'), '500')
    await using later = await open()
    t.deepEqual(later.find('a'), { addresses: ['10.88.0.2'] })
    await later.check('a')
    await inside({ net }, 'sysctl', '-w', 'net.core.somaxconn=501')
    await t.throwsAsync(later.check('a'), { message: /^CNI plugin "tuning" failed to CHECK: / })
    await later.tearDown('a')
    t.deepEqual(await leases(), [])
    t.is(await inside({ net }, 'ip', '-o', 'link', 'show', 'type', 'veth'), '')
  },
)

pluginTest('ptp with both families and bandwidth; the limits reach the kernel', async (t) => {
  const { network, host, addPod, configure, ipam } = await scene(t)
  await configure([
    {
      type: 'ptp',
      ipMasq: false,
      ipam: ipam('10.89.0.0/24', 'fd00:89::/64'),
      dns: { nameservers: ['10.89.0.1'], search: ['pods.test'] },
    },
    { type: 'bandwidth', capabilities: { bandwidth: true } },
  ])
  const annotations = { 'kubernetes.io/ingress-bandwidth': '8M', 'kubernetes.io/egress-bandwidth': '16M' }
  const { net, addresses } = await addPod('a', { annotations })
  t.deepEqual(addresses, ['10.89.0.2', 'fd00:89::2'])
  t.deepEqual(network.find('a')?.dns, { servers: ['10.89.0.1'], searches: ['pods.test'], options: [] })
  const limits = await inside({ net: host }, 'tc', 'qdisc', 'show')
  t.regex(limits, /tbf .*rate 8Mbit/)
  t.regex(limits, /tbf .*rate 16Mbit/)
  await using _a = await serve(net, 'a', { host: '::', port: 80 })
  t.deepEqual(await ask(host, { host: '10.89.0.2', port: 80 }), ['a saw 10.89.0.1'])
  await network.tearDown('a')
  t.notRegex(await inside({ net: host }, 'tc', 'qdisc', 'show'), /tbf/)
})

pluginTest('static takes the address that the network names, loopback is raised', async (t) => {
  const { addPod, configure } = await scene(t)
  const ipam = { type: 'static', addresses: [{ address: '10.90.0.7/24', gateway: '10.90.0.1' }] }
  await configure([{ type: 'ptp', ipam }, { type: 'loopback' }], { cniVersion: '0.4.0' })
  const { net, address } = await addPod('a')
  t.is(address, '10.90.0.7')
  t.regex(await inside({ net }, 'ip', '-o', 'link', 'show', 'lo'), /LOOPBACK,UP/)
})

pluginTest('ranges that the orchestrator told are where host-local takes from', async (t) => {
  const { network, addPod, configure, ipam } = await scene(t)
  const own = { ...ipam(), ranges: undefined }
  await configure([{ type: 'ptp', capabilities: { ipRanges: true }, ipam: own }])
  network.setPodCidrs(['10.91.4.0/24'])
  t.is((await addPod('a')).address, '10.91.4.2')
})

pluginTest('when the last plugin fails, address and link of the first are given back', async (t) => {
  const { namespaces, network, configure, ipam, leases, folders } = await scene(t)
  await folders.script('failing', `test $CNI_COMMAND = DEL || { echo '{"code":100,"msg":"no"}'; exit 1; }`)
  await configure([{ ...bridge, ipMasq: false, ipam: ipam('10.88.0.0/24') }, { type: 'failing' }])
  const net = await namespaces.get('a')
  await t.throwsAsync(network.setUp(podRequest('a', net)), {
    message: 'CNI plugin "failing" failed to ADD: no (code 100)',
  })
  t.deepEqual(await leases(), [])
  t.deepEqual(network.list(), [])
  t.is(await inside({ net }, 'ip', '-o', 'link', 'show', 'type', 'veth'), '')
})

pluginTest('DEL of a pod whose namespace is gone gives its address back', async (t) => {
  const { namespaces, network, configure, ipam, leases } = await scene(t)
  await configure([{ ...bridge, ipam: ipam('10.88.0.0/24') }, { type: 'firewall' }])
  await namespaces.pins.create({ id: 'a', network: true, ipc: false })
  {
    using net = await namespaces.pins.open('a', 'network')
    await network.setUp(podRequest('a', net))
  }
  await namespaces.pins.remove('a')
  t.deepEqual(await leases(), ['10.88.0.2'])
  await network.tearDown('a')
  t.deepEqual(await leases(), [])
})

pluginTest(
  'without a right configuration the network is not ready, and says why; a new file is seen at once',
  async (t) => {
    const { namespaces, network, configure, folders, ipam } = await scene(t)
    const { confDir } = folders
    t.deepEqual(await network.status(), {
      ready: false,
      reason: 'NoNetworkConfiguration',
      message: `no CNI configuration in ${confDir}`,
    })
    await folders.configure('00-broken.conflist', '{')
    t.regex(
      (await network.status()).message,
      /^no CNI configuration in .* is right: .*00-broken\.conflist is not JSON/,
    )
    const net = await namespaces.get('a')
    await t.throwsAsync(network.setUp(podRequest('a', net)), {
      code: 'FAILED_PRECONDITION',
      message: /^no CNI configuration/,
    })
    await configure([{ type: 'nowhere' }])
    t.like(await network.status(), { ready: false, reason: 'NetworkPluginNotReady' })
    t.regex((await network.status()).message, /^network "test": CNI plugin "nowhere" is not in /)
    await configure([{ ...bridge, ipam: ipam('10.88.0.0/24') }], { cniVersion: '1.1.0' })
    t.regex(
      (await network.status()).message,
      /CNI plugin "bridge" failed to STATUS/,
      'Debian’s speak 1.0.0 at most',
    )
    await configure([{ ...bridge, ipam: ipam('10.88.0.0/24') }])
    t.true((await network.status()).ready)
  },
)

pluginTest('a result without an address is no network, and words for CNI_ARGS hide no others', async (t) => {
  const { namespaces, network, configure, folders } = await scene(t)
  await folders.script('empty', `test $CNI_COMMAND != ADD || echo '{"cniVersion":"1.0.0"}'`)
  await configure([{ type: 'empty' }])
  const net = await namespaces.get('a')
  await t.throwsAsync(network.setUp(podRequest('a', net)), {
    message: 'the CNI network "test" gave the pod no address',
  })
  t.deepEqual(await folders.order(), ['ADD empty', 'DEL empty'])
  await t.throwsAsync(network.setUp(podRequest('b', net, { podName: 'a;K8S_POD_NAME=b' })), {
    code: 'INVALID_ARGUMENT',
  })
  t.deepEqual(network.list(), [])
})

rootTest('GC only where the networks are said to be ours alone', async (t) => {
  const { folders, network, configure, open } = await scene(t)
  await folders.script('main', 'exit 0')
  await configure([{ type: 'main' }], { cniVersion: '1.1.0' })
  await network.collect()
  t.deepEqual(await folders.order(), [], 'another runtime may have pods there')
  await using alone = await open({ garbageCollect: true })
  await alone.collect()
  t.deepEqual(await folders.order(), ['GC main'])
})

rootTest('a network that is abandoned and cannot be taken down is tried again until it is', async (t) => {
  const { namespaces, folders, configure, open } = await scene(t)
  const clock = new FakeClock()
  await using network = await open({ clock })
  const answers = `test $CNI_COMMAND = ADD && echo '{"cniVersion":"1.0.0","ips":[{"address":"10.9.9.9/24"}]}'`
  await folders.script('main', answers)
  await configure([{ type: 'main' }])
  await network.setUp(podRequest('a', await namespaces.get('a')))
  await network.abandon('a')
  t.deepEqual(network.list(), ['a'])
  clock.advance(5000)
  await eventually('a second DEL', async () => (await folders.calls()).length === 3)
  await folders.script('main', 'exit 0')
  await eventually('it is gone', async () => {
    clock.advance(10_000)
    return network.list().length === 0
  })
  t.deepEqual(await folders.order(), ['ADD main', 'DEL main', 'DEL main', 'DEL main'])
})

rootTest('one without an address whose DEL fails as well is tried again', async (t) => {
  const { namespaces, folders, configure, open } = await scene(t)
  const clock = new FakeClock()
  await using network = await open({ clock })
  await folders.script('empty', `test $CNI_COMMAND = ADD && echo '{"cniVersion":"1.0.0"}'`)
  await configure([{ type: 'empty' }])
  await t.throwsAsync(network.setUp(podRequest('a', await namespaces.get('a'))), {
    message: 'the CNI network "test" gave the pod no address',
  })
  t.deepEqual(network.list(), ['a'])
  await folders.script('empty', 'exit 0')
  clock.advance(5000)
  await eventually('DEL', async () => network.list().length === 0)
})

rootTest(
  'what a failed ADD left and DEL could not take back yet is tried again, though nobody asks',
  async (t) => {
    const { namespaces, folders, configure, open } = await scene(t)
    const clock = new FakeClock()
    await using network = await open({ clock })
    await folders.script('main', 'exit 1')
    await configure([{ type: 'main' }])
    const net = await namespaces.get('a')
    await t.throwsAsync(network.setUp(podRequest('a', net)), { message: /"main" failed to ADD/ })
    t.deepEqual(network.list(), ['a'])
    await folders.script('main', 'exit 0')
    clock.advance(5000)
    await eventually('DEL', async () => network.list().length === 0)
    t.deepEqual(await folders.order(), ['ADD main', 'DEL main', 'DEL main'])
  },
)
