import test from 'ava'
import fc from 'fast-check'
import { KeelsonError } from '../../../src/base/index.ts'
import { convertResult, factsOf, parseResult } from '../../../src/network/cni/result.ts'
import { cniVersions, hasSince } from '../../../src/network/cni/version.ts'

const full = {
  cniVersion: '1.1.0',
  interfaces: [
    { name: 'veth1', mac: '02:00:00:00:00:01' },
    {
      name: 'eth0',
      mac: '02:00:00:00:00:02',
      sandbox: '/netns/a',
      mtu: 1400,
      socketPath: '/s',
      pciID: '0000:00',
    },
  ],
  ips: [
    { interface: 1, address: 'fd00::5/64' },
    { interface: 1, address: '10.1.0.5/24', gateway: '10.1.0.1' },
    { interface: 0, address: '10.1.0.1/24' },
  ],
  routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1', mtu: 1300, advmss: 1200, priority: 5, table: 7, scope: 0 }],
  dns: {
    nameservers: ['10.1.0.1'],
    domain: 'pod.test',
    search: ['a.test', 'pod.test'],
    options: ['ndots:5'],
  },
  ofTheFuture: { kept: true },
}

test('addresses of the pod, not of the host, IPv4 first; domain and search become one list', (t) => {
  t.deepEqual(factsOf(parseResult(full, '1.1.0')), {
    addresses: ['10.1.0.5', 'fd00::5'],
    dns: { nameservers: ['10.1.0.1'], searches: ['pod.test', 'a.test'], options: ['ndots:5'] },
  })
  t.deepEqual(factsOf(parseResult({ ips: [{ address: '10.0.0.1/8' }] }, '0.4.0')).addresses, ['10.0.0.1'])
})

test('before 1.0 an address bears its version, before 1.1 much is unknown; the rest stays', (t) => {
  const old = convertResult(parseResult(full, '1.1.0'), '0.4.0')
  t.deepEqual(old['ips'], [
    { interface: 1, address: 'fd00::5/64', version: '6' },
    { interface: 1, address: '10.1.0.5/24', gateway: '10.1.0.1', version: '4' },
    { interface: 0, address: '10.1.0.1/24', version: '4' },
  ])
  t.deepEqual(old['routes'], [{ dst: '0.0.0.0/0', gw: '10.1.0.1' }])
  t.deepEqual((old['interfaces'] as unknown[])[1], {
    name: 'eth0',
    mac: '02:00:00:00:00:02',
    sandbox: '/netns/a',
  })
  t.is(old.cniVersion, '0.4.0')
  t.deepEqual(old['ofTheFuture'], { kept: true })
  t.deepEqual(convertResult(old, '1.0.0')['ips'], full.ips)
})

test('an answer without a version is in the one that was asked for', (t) => {
  t.is(parseResult({}, '0.3.1').cniVersion, '0.3.1')
  t.is(parseResult({ cniVersion: '0.4.0' }, '1.0.0').cniVersion, '0.4.0')
})

for (const [what, answer, message] of [
  ['a version nobody knows', { cniVersion: '9.0.0' }, /"cniVersion" is "9\.0\.0", not one of 0\.3\.0/],
  ['the form of 0.2.0', { cniVersion: '0.2.0', ip4: { ip: '10.0.0.1/8' } }, /"cniVersion" is "0\.2\.0"/],
  [
    'an address without prefix length',
    { ips: [{ address: '10.0.0.1' }] },
    /ips\[0\]: "address" is "10\.0\.0\.1", not/,
  ],
  [
    'an interface that is not there',
    { ips: [{ address: '10.0.0.1/8', interface: 0 }] },
    /ips\[0\]: there is no interface 0/,
  ],
  ['a gateway that is none', { ips: [{ address: '10.0.0.1/8', gateway: 'x' }] }, /"gateway" is "x"/],
  ['a nameless interface', { interfaces: [{}] }, /interfaces\[0\]: "name" is missing/],
  ['a route to nowhere', { routes: [{ dst: 'x' }] }, /routes\[0\]: "dst" is "x"/],
  [
    'a name server that is a name',
    { dns: { nameservers: ['a.test'] } },
    /name server "a\.test" is not an address/,
  ],
  ['a line hidden in a search domain', { dns: { search: ['a\nnameserver 6.6.6.6'] } }, /is not one word/],
  ['lists that are objects', { ips: {} }, /"ips" is not a list/],
  ['no object', [], 'the result is not an object'],
] as const)
  test(`a result is refused: ${what}`, (t) => {
    t.throws(() => parseResult(answer, '1.0.0'), { code: 'INVALID_ARGUMENT', message: message as RegExp })
  })

const address = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([ip, length]) => `${ip}/${length}`)
const six = fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })).map(([ip, length]) => `${ip}/${length}`)
const results = fc.record(
  {
    ips: fc.array(fc.record({ address: fc.oneof(address, six) })),
    routes: fc.array(fc.record({ dst: fc.oneof(address, six) })),
    interfaces: fc.array(fc.record({ name: fc.string({ minLength: 1 }), sandbox: fc.string() })),
  },
  { requiredKeys: [] },
)

test('going through any version keeps addresses, and is valid there', (t) => {
  const version = fc.constantFrom(...cniVersions)
  fc.assert(
    fc.property(results, version, version, (result, from, to) => {
      const converted = convertResult(parseResult(result, from), to)
      t.deepEqual(factsOf(parseResult(converted, to)), factsOf(parseResult(result, from)))
      if (from === to) return // kept as it came
      const ips = (converted['ips'] ?? []) as { version?: string }[]
      t.true(ips.every((one) => (one.version === undefined) === hasSince(to, '1.0.0')))
    }),
  )
})

test('whatever a plugin answers, it is a result or refused with a code', (t) => {
  fc.assert(
    fc.property(fc.anything(), (answer) => {
      try {
        parseResult(answer, '1.0.0')
      } catch (error) {
        if (!(error instanceof KeelsonError)) throw error
      }
    }),
  )
  t.pass()
})
