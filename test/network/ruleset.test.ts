import test from 'ava'
import type { Lease } from '../../src/network/leases.ts'
import { isPodLink, networkNames } from '../../src/network/names.ts'
import { podRuleset, removeTable } from '../../src/network/ruleset.ts'

const options = { names: networkNames('keelson'), podCidr: '10.42.3.0/24', clusterCidr: '10.42.0.0/16' }

function lease(address: string, ...portMappings: Lease['portMappings']): Lease {
  return {
    version: 1,
    sandboxId: address,
    address,
    link: 'x',
    portMappings,
    podNamespace: 'default',
    podName: 'web',
    podUid: 'u',
  }
}

test('the table is replaced whole, in one transaction', (t) => {
  const text = podRuleset(options, [])
  t.true(
    text.startsWith('table inet keelson-pods\ndelete table inet keelson-pods\ntable inet keelson-pods {\n'),
  )
  t.true(text.includes('ip saddr 10.42.3.0/24 ip daddr != { 10.42.0.0/16, 224.0.0.0/4 } masquerade'))
  t.false(text.includes('elements'))
})

test('a pod without host ports adds nothing, and a host port is one element', (t) => {
  const without = podRuleset(options, [])
  t.is(podRuleset(options, [lease('10.42.3.4')]), without)
  const text = podRuleset(options, [
    lease('10.42.3.4', { protocol: 'tcp', hostPort: 8080, containerPort: 80 }),
    lease('10.42.3.5', { protocol: 'udp', hostPort: 53, containerPort: 5353, hostIp: '192.0.2.9' }),
    lease('10.42.3.6', { protocol: 'tcp', hostPort: 81, containerPort: 80, hostIp: '0.0.0.0' }),
  ])
  t.true(text.includes('tcp . 8080 : 10.42.3.4 . 80,\n      tcp . 81 : 10.42.3.6 . 80\n'))
  t.true(text.includes('192.0.2.9 . udp . 53 : 10.42.3.5 . 5353\n'))
  t.true(text.includes('10.42.3.4 . 10.42.3.4,'))
  const rules = (ruleset: string) =>
    ruleset.split('\n').filter((line) => !/^ {6}|elements|^ {4}}/.test(line)).length
  t.is(rules(text), rules(without))
})

test('CVE-2020-10749: the first rule for what pods send drops router advertisements and redirects', (t) => {
  const [first] =
    /chain from-pods \{\n.*\n((?:.|\n)*?)\n {2}\}/
      .exec(podRuleset(options, []))?.[1]
      ?.split('\n')
      .filter((line) => !line.includes('#')) ?? []
  t.is(
    first?.trim(),
    `iifname "${options.names.linkPrefix}*" icmpv6 type { nd-router-advert, nd-redirect } drop`,
  )
})

test('removing a table does not mind that there is none', (t) => {
  t.is(removeTable('inet', 'keelson-pods'), 'table inet keelson-pods\ndelete table inet keelson-pods\n')
})

test('names: 15 bytes, the same each time, different per instance and sandbox', (t) => {
  const names = networkNames('keelson')
  t.is(names.link('a').length, 15)
  t.is(names.link('a'), networkNames('keelson').link('a'))
  t.not(names.link('a'), names.link('b'))
  t.not(names.linkPrefix, networkNames('keelson-2').linkPrefix)
  t.not(names.linkGroup, networkNames('keelson-2').linkGroup)
  t.true(names.link('a').startsWith(names.linkPrefix))
  t.true([names, networkNames('k'), networkNames('a-b')].every((one) => isPodLink(one.link('a'))))
  for (const other of ['eth0', 'enp0s31f6', 'cni0', 'vethab12-cd34']) t.false(isPodLink(other), other)
  for (const bad of ['', 'Keelson', '1st', 'a b', 'a"b', 'x'.repeat(33)])
    t.throws(() => networkNames(bad), { code: 'INVALID_ARGUMENT' }, bad)
})

test('with both ranges every map is there twice, and a host port goes to the family that it is open in', (t) => {
  const both = { ...options, podCidr: '10.42.3.0/24,fd00:3::/64', clusterCidr: '10.42.0.0/16,fd00::/48' }
  const port = { protocol: 'sctp', hostPort: 9, containerPort: 9 } as const
  const text = podRuleset(both, [
    { ...lease('10.42.3.4', port, { ...port, hostPort: 10, hostIp: '0.0.0.0' }), address6: 'fd00:3::4' },
    { ...lease('10.42.3.5', { ...port, hostPort: 11, hostIp: 'fd00::1' }), address6: 'fd00:3::5' },
  ])
  const of = (name: string) => new RegExp(`(?:map|set) ${name} \\{([^}]*)\\}?`).exec(text)?.[1] ?? ''
  t.regex(of('host-ports'), /sctp \. 9 : 10\.42\.3\.4 \. 9,\s*sctp \. 10 : 10\.42\.3\.4 \. 9\s/)
  t.regex(of('host-ports6'), /sctp \. 9 : fd00:3::4 \. 9\s/)
  t.notRegex(of('host-ports6'), /sctp \. 10/)
  t.regex(of('host-ports-of-address6'), /fd00::1 \. sctp \. 11 : fd00:3::5 \. 9\s/)
  t.notRegex(of('host-ports-of-address'), /elements/)
  t.true(text.includes('ip6 saddr fd00:3::/64 ip6 daddr != { fd00::/48, ff00::/8 } masquerade'))
  t.false(podRuleset(options, []).includes('host-ports6'))
})
