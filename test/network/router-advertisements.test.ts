/** What a pod with CAP_NET_RAW must not become. */
import { setTimeout as sleep } from 'node:timers/promises'
import { listRoutes, type OwnedFd, readSysctl, writeSysctl } from '../../src/kernel/index.ts'
import { networkNames } from '../../src/network/names.ts'
import { removeTable } from '../../src/network/ruleset.ts'
import { eventually } from '../support/eventually.ts'
import { inside } from '../support/inside.ts'
import { testNode, testNodeOptions } from '../support/pod-network.ts'
import { rootTest } from '../support/root.ts'

/** To all nodes on eth0: "I am a router for the next half hour", with the hop limit that such a message must have. */
const advertise = `
  socket(my $raw, AF_INET6, SOCK_RAW, 58) or die "socket: $!";
  setsockopt($raw, 41, 18, pack("i", 255)) or die "hops: $!";
  my $to = pack_sockaddr_in6(0, inet_pton(AF_INET6, "ff02::1"), $ARGV[0]);
  send($raw, pack("CCnCCnNN", 134, 0, 0, 64, 0, 1800, 0, 0), 0, $to) or die "send: $!";
`

async function advertiseFrom(net: OwnedFd): Promise<void> {
  const [index = ''] = (await inside({ net }, 'ip', '-o', 'link', 'show', 'eth0')).split(':')
  await inside({ net }, 'perl', '-MSocket=:all', '-e', advertise, index)
}

rootTest('CVE-2020-10749: a pod that advertises itself does not become the router of the host', async (t) => {
  await using made = await testNodeOptions()
  const { host } = made
  // A host that is no router itself and listens to those that are, as most are.
  await writeSysctl('net/ipv6/conf/all/forwarding', '0', host.fd)
  await writeSysctl('net/ipv6/conf/default/accept_ra', '1', host.fd)
  await using node = await testNode({}, made)
  const { net } = await node.addPod('a')
  await inside({ net }, 'ip', '-6', 'address', 'add', 'fe80::66/64', 'dev', 'eth0', 'nodad')
  const names = networkNames('keelson')
  const acceptRa = `net/ipv6/conf/${names.link('a')}/accept_ra`
  const router = async () => (await listRoutes(6, host.fd)).find(({ destination }) => destination === '::/0')
  t.is(await readSysctl(acceptRa, host.fd), '0')
  const refused = async (why: string) => {
    await advertiseFrom(net)
    await sleep(200)
    t.is(await router(), undefined, why)
  }
  await writeSysctl(acceptRa, '1', host.fd)
  await refused('by the ruleset alone')
  await writeSysctl(acceptRa, '0', host.fd)
  await node.nft.apply(removeTable('inet', names.table))
  await refused('by the link alone')
  await writeSysctl(acceptRa, '1', host.fd)
  await advertiseFrom(net)
  t.truthy(await eventually('without both it does', router))
})

rootTest('CVE-2020-10749: a host that begins to forward IPv6 listens to no pod', async (t) => {
  await using made = await testNodeOptions()
  const { host } = made
  await writeSysctl('net/ipv6/conf/all/forwarding', '0', host.fd)
  await using four = await testNode({}, made)
  await four.addPod('a')
  const acceptRa = `net/ipv6/conf/${networkNames('keelson').link('a')}/accept_ra`
  // As an earlier version left it.
  await writeSysctl(acceptRa, '1', host.fd)
  await using _both = await testNode({ podCidr: '10.42.0.0/24,fd00:42::/64' }, made)
  t.is(await readSysctl('net/ipv6/conf/all/forwarding', host.fd), '1')
  t.is(await readSysctl(acceptRa, host.fd), '1', 'not raised to 2')
})
