import test from 'ava'
import type { Pod, PodSpec } from '../../src/api/index.ts'
import { dnsConfig, parseResolvConf } from '../../src/kubelet/dns.ts'
import { hostNetworkHostsFile, podHostsFile } from '../../src/kubelet/hosts-file.ts'

const host = parseResolvConf('# c\nnameserver 192.0.2.53\nsearch example.org lan\noptions edns0 timeout:2\n')
const cluster = { servers: ['10.43.0.10'], domain: 'cluster.local' }

function pod(spec: Partial<PodSpec>): Pod {
  return { metadata: { name: 'web', namespace: 'shop' }, spec: { containers: [], ...spec } }
}

test('resolv.conf: last search wins, options add up, comments do not count', (t) => {
  t.deepEqual(host, {
    servers: ['192.0.2.53'],
    searches: ['example.org', 'lan'],
    options: ['edns0', 'timeout:2'],
  })
  t.deepEqual(parseResolvConf('domain a\nsearch b .\nnameserver\n'), {
    servers: [],
    searches: ['b'],
    options: [],
  })
})

test('ClusterFirst asks the cluster, and the host where it cannot', (t) => {
  t.deepEqual(dnsConfig(pod({}), cluster, host), {
    servers: ['10.43.0.10'],
    searches: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'example.org', 'lan'],
    options: ['ndots:5'],
  })
  t.deepEqual(dnsConfig(pod({}), undefined, host), host)
  t.deepEqual(dnsConfig(pod({ hostNetwork: true }), cluster, host), host)
  const both = pod({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' })
  t.deepEqual(dnsConfig(both, cluster, host).servers, ['10.43.0.10'])
})

test('Default is the host; None is only what dnsConfig says', (t) => {
  t.deepEqual(dnsConfig(pod({ dnsPolicy: 'Default' }), cluster, host), host)
  const own = {
    nameservers: ['1.1.1.1'],
    searches: ['x'],
    options: [{ name: 'ndots', value: '2' }, { name: 'debug' }],
  }
  t.deepEqual(dnsConfig(pod({ dnsPolicy: 'None', dnsConfig: own }), cluster, host), {
    servers: ['1.1.1.1'],
    searches: ['x'],
    options: ['ndots:2', 'debug'],
  })
})

test('dnsConfig adds to the policy, replaces options of the same name, and stays within the limits', (t) => {
  const many = {
    nameservers: ['1.1.1.1', '10.43.0.10', '2.2.2.2', '3.3.3.3'],
    options: [{ name: 'ndots', value: '1' }],
  }
  const merged = dnsConfig(pod({ dnsConfig: many }), cluster, host)
  t.deepEqual(merged.servers, ['10.43.0.10', '1.1.1.1', '2.2.2.2'])
  t.deepEqual(merged.options, ['ndots:1'])
})

test('the hosts file names the pod at its addresses, its subdomain and its aliases', (t) => {
  const spec = { subdomain: 'db', hostAliases: [{ ip: '192.0.2.7', hostnames: ['a', 'b'] }] }
  const lines = podHostsFile(pod(spec), ['10.42.0.5', 'fd00::5'], 'web', 'cluster.local').split('\n')
  t.true(lines.includes('127.0.0.1\tlocalhost'))
  t.true(lines.includes('10.42.0.5\tweb.db.shop.svc.cluster.local\tweb'))
  t.true(lines.includes('fd00::5\tweb.db.shop.svc.cluster.local\tweb'))
  t.true(lines.includes('192.0.2.7\ta\tb'))
  t.is(lines.at(-1), '')
  t.is(hostNetworkHostsFile(pod(spec), '127.0.0.1 localhost\n'), '127.0.0.1 localhost\n192.0.2.7\ta\tb\n')
})
