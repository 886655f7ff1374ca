import {
  addVeth,
  changeNetwork,
  deleteAddress,
  deleteLink,
  deleteLinkGroup,
  deleteRoute,
  getLink,
  inNamespace,
  linksOf,
  listAddresses,
  listLinks,
  listRoutes,
  type OwnedFd,
  readSysctl,
  setAddress,
  setLinkUp,
  setNeighbour,
  setRoute,
  writeSysctl,
} from '../../src/kernel/index.ts'
import { inside } from '../support/inside.ts'
import { testNamespaces } from '../support/network-namespaces.ts'
import { rootTest } from '../support/root.ts'
import { ask, serve } from '../support/traffic.ts'

function veth(right: OwnedFd, name = 'a') {
  return addVeth({
    name,
    macAddress: '02:00:00:00:00:01',
    mtu: 1400,
    group: 77,
    peer: { name: 'b', macAddress: '02:00:00:00:00:02', mtu: 1400, namespaceFd: right.fd },
  })
}

rootTest('a veth reaches from one namespace into another and carries packets, IPv4 and IPv6', async (t) => {
  await using namespaces = await testNamespaces()
  const [left, right] = [await namespaces.get('left'), await namespaces.get('right')]
  const answers = await changeNetwork(inNamespace(left.fd, veth(right), getLink('a')))
  const [link] = linksOf(answers[1] ?? [])
  t.like(link, { name: 'a', up: true, mtu: 1400, macAddress: '02:00:00:00:00:01', group: 77 })
  const [here, there] = [link?.index ?? 0, link?.peerIndex ?? 0]
  await changeNetwork([
    ...inNamespace(
      left.fd,
      setAddress({ address: '10.9.0.1/32', linkIndex: here }),
      setRoute({ destination: '10.9.0.2/32', linkIndex: here, mtu: 1300 }),
      setAddress({ address: 'fd09::1/128', linkIndex: here }),
      setRoute({ destination: 'fd09::2/128', linkIndex: here }),
      setNeighbour({ address: '10.9.0.2', macAddress: '02:00:00:00:00:02', linkIndex: here }),
    ),
    ...inNamespace(
      right.fd,
      setLinkUp('b'),
      setAddress({ address: '10.9.0.2/32', linkIndex: there }),
      setNeighbour({ address: '169.254.1.1', macAddress: '02:00:00:00:00:01', linkIndex: there }),
      setRoute({ destination: '0.0.0.0/0', linkIndex: there, gateway: '169.254.1.1' }),
      setAddress({ address: 'fd09::2/128', linkIndex: there }),
      setRoute({ destination: 'fd09::1/128', linkIndex: there }),
    ),
  ])
  for (const host of ['10.9.0.2', 'fd09::2']) {
    await using _server = await serve(right, 'right', { host, port: 80 })
    t.deepEqual(await ask(left, { host, port: 80 }), [`right saw ${host.replace(/2$/, '1')}`])
  }
  t.deepEqual(
    (await listRoutes(4, right.fd)).map(({ destination, gateway }) => ({ destination, gateway })),
    [{ destination: '0.0.0.0/0', gateway: '169.254.1.1' }],
  )
  t.regex(await inside({ net: left }, 'ip', 'route', 'show', '10.9.0.2'), /dev a .*mtu lock 1300/)
})

rootTest('what is set twice stays once, and what is deleted is gone', async (t) => {
  await using namespaces = await testNamespaces()
  const [left, right] = [await namespaces.get('left'), await namespaces.get('right')]
  const address = { address: '10.9.0.1/32', linkIndex: 1 }
  const route = { destination: '10.8.0.0/16', linkIndex: 1, source: '10.9.0.1' }
  for (let round = 0; round < 2; round++)
    await changeNetwork(inNamespace(left.fd, setAddress(address), setRoute(route)))
  t.is((await listAddresses(left.fd)).filter((one) => one.address === '10.9.0.1/32').length, 1)
  t.deepEqual(await listRoutes(4, left.fd), [{ ...route, gateway: undefined }])
  await changeNetwork(inNamespace(left.fd, deleteRoute(route), deleteAddress(address)))
  t.deepEqual(await listRoutes(4, left.fd), [])
  await changeNetwork(inNamespace(left.fd, veth(right), setLinkUp('a', false)))
  t.false((await listLinks(left.fd)).find(({ name }) => name === 'a')?.up)
  await changeNetwork(inNamespace(left.fd, deleteLinkGroup(77)))
  t.deepEqual(
    (await listLinks(left.fd)).filter(({ name }) => name === 'a'),
    [],
  )
})

rootTest("a refusal names the request, the object and the kernel's reason", async (t) => {
  await using namespaces = await testNamespaces()
  const [left, right] = [await namespaces.get('left'), await namespaces.get('right')]
  const missing = await t.throwsAsync(changeNetwork(inNamespace(left.fd, deleteLink('nowhere'))))
  t.like(missing, { call: 'RTM_DELLINK', errno: 'ENODEV', path: 'link nowhere' })
  await changeNetwork(inNamespace(left.fd, veth(right)))
  const taken = await t.throwsAsync(changeNetwork(inNamespace(left.fd, veth(right))))
  t.like(taken, { call: 'RTM_NEWLINK', errno: 'EEXIST', code: 'ALREADY_EXISTS' })
  const unreachable = setRoute({ destination: '10.1.0.0/16', linkIndex: 4711 })
  const refused = await t.throwsAsync(changeNetwork(inNamespace(left.fd, unreachable)))
  t.like(refused, { call: 'RTM_NEWROUTE', errno: 'ENODEV' })
  const looping = setRoute({ destination: '10.1.0.0/16', linkIndex: 1, gateway: '127.0.0.1' })
  const explained = await t.throwsAsync(changeNetwork(inNamespace(left.fd, looping)))
  t.regex(explained.message, /route 10\.1\.0\.0\/16 \(.+\)/)
})

rootTest('a sysctl is read and written in the namespace that is named', async (t) => {
  await using namespaces = await testNamespaces()
  const left = await namespaces.get('left')
  const before = await readSysctl('net/ipv4/ip_forward')
  const other = before === '1' ? '0' : '1'
  await writeSysctl('net/ipv4/ip_forward', other, left.fd)
  t.is(await readSysctl('net/ipv4/ip_forward', left.fd), other)
  t.is(await readSysctl('net/ipv4/ip_forward'), before)
  await t.throwsAsync(readSysctl('net/../../1/stat', left.fd), { instanceOf: Error })
})
