import test from 'ava'
import { type Offers, runtimeConfigFor } from '../../../src/network/cni/capabilities.ts'

const offers: Offers = {
  portMappings: [
    { protocol: 'tcp', hostPort: 8080, containerPort: 80 },
    { protocol: 'sctp', hostPort: 1, containerPort: 2, hostIp: '127.0.0.1' },
  ],
  bandwidth: { ingressBits: 10_000_000 },
  ipRanges: [[{ subnet: '10.42.3.0/24' }], [{ subnet: 'fd00::/64' }]],
  dns: { nameservers: ['10.0.0.10'], searches: ['svc.test'], options: ['ndots:5'] },
  aliases: ['web'],
  mac: '02:00:00:00:00:01',
  ips: ['10.42.3.7/24'],
  cgroupPath: '/kubepods/pod1',
}
const all = { portMappings: 1, bandwidth: 1, ipRanges: 1, dns: 1, aliases: 1, mac: 1, ips: 1, cgroupPath: 1 }
const declared = (...names: string[]) => ({
  type: 'x',
  capabilities: Object.fromEntries(names.map((name) => [name, true])),
})

test('every capability in the form that plugins read', (t) => {
  t.deepEqual(runtimeConfigFor(declared(...Object.keys(all)), offers), {
    portMappings: [
      { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
      { hostPort: 1, containerPort: 2, protocol: 'sctp', hostIP: '127.0.0.1' },
    ],
    bandwidth: { ingressRate: 10_000_000, ingressBurst: 1_000_000 },
    ipRanges: [[{ subnet: '10.42.3.0/24' }], [{ subnet: 'fd00::/64' }]],
    dns: { servers: ['10.0.0.10'], searches: ['svc.test'], options: ['ndots:5'] },
    aliases: ['web'],
    mac: '02:00:00:00:00:01',
    ips: ['10.42.3.7/24'],
    cgroupPath: '/kubepods/pod1',
  })
})

test('a plugin gets only what it declares, and nothing at all when we have nothing', (t) => {
  t.deepEqual(runtimeConfigFor(declared('mac', 'unknown'), offers), { mac: '02:00:00:00:00:01' })
  t.is(runtimeConfigFor({ type: 'x', capabilities: { mac: false } }, offers), undefined)
  t.is(runtimeConfigFor({ type: 'x' }, offers), undefined)
  t.is(runtimeConfigFor(declared(...Object.keys(all)), { portMappings: [], bandwidth: {} }), undefined)
})
