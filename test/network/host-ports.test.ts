import test from 'ava'
import fc from 'fast-check'
import { checkHostIp, hostAddressOf, overlaps } from '../../src/network/host-ports.ts'
import type { PortMapping } from '../../src/network/index.ts'

const at = (hostIp?: string, more: Partial<PortMapping> = {}): PortMapping => ({
  protocol: 'tcp',
  hostPort: 80,
  containerPort: 8080,
  ...(hostIp === undefined ? {} : { hostIp }),
  ...more,
})

test('as with sockets: none and :: are all addresses, 0.0.0.0 those of IPv4', (t) => {
  const table = [undefined, '', '::', '0.0.0.0', '192.0.2.1', 'fd00::1'].map((hostIp) => [
    hostAddressOf(at(hostIp), 4),
    hostAddressOf(at(hostIp), 6),
  ])
  t.deepEqual(table, [
    ['any', 'any'],
    ['any', 'any'],
    ['any', 'any'],
    ['any', undefined],
    ['192.0.2.1', undefined],
    [undefined, 'fd00::1'],
  ])
})

test('two want the same port where one address would be both’s', (t) => {
  t.true(overlaps(at(), at('192.0.2.1')))
  t.true(overlaps(at('::'), at('0.0.0.0')))
  t.true(overlaps(at('fd00::1'), at('fd00:0:0::1')))
  t.false(overlaps(at('0.0.0.0'), at('fd00::1')))
  t.false(overlaps(at('192.0.2.1'), at('192.0.2.2')))
  t.false(overlaps(at(), at(undefined, { protocol: 'udp' })))
  t.false(overlaps(at(), at(undefined, { hostPort: 81 })))
})

test('overlap is mutual, and everything overlaps itself', (t) => {
  const ips = fc.constantFrom(undefined, '', '::', '0.0.0.0', '192.0.2.1', '192.0.2.2', 'fd00::1', 'fd00::2')
  fc.assert(
    fc.property(ips, ips, (one, other) => {
      t.is(overlaps(at(one), at(other)), overlaps(at(other), at(one)))
      t.true(overlaps(at(one), at(one)))
    }),
  )
})

test('an address that the node cannot serve is refused', (t) => {
  for (const hostIp of ['example.test', '1.2.3', 'fe80::1%eth0'])
    t.throws(() => checkHostIp(at(hostIp), true, 'a'), {
      code: 'INVALID_ARGUMENT',
      message: /is not an IP address$/,
    })
  t.throws(() => checkHostIp(at('fd00::1'), false, 'a'), {
    message: /pods of this node have no IPv6 address$/,
  })
  for (const hostIp of [undefined, '::', '0.0.0.0', '192.0.2.1', 'fd00::1'])
    t.notThrows(() => checkHostIp(at(hostIp), true, 'a'))
})
