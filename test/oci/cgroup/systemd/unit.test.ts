import test from 'ava'
import fc from 'fast-check'
import type { Variant } from '../../../../src/dbus/index.ts'
import { parseVariant } from '../../../../src/oci/cgroup/systemd/gvariant.ts'
import {
  annotatedProperties,
  deviceProperties,
  resourceProperties,
  type SystemdFacts,
} from '../../../../src/oci/cgroup/systemd/properties.ts'
import { expandSlice, systemdUnit, unitPath } from '../../../../src/oci/cgroup/systemd/unit.ts'

const facts: SystemdFacts = {
  version: 252,
  isV2: true,
  deviceGroup: (_, major) => (major === 136 ? 'pts' : undefined),
}
const plain = (properties: [string, Variant][]) =>
  Object.fromEntries(properties.map(([name, { signature, value }]) => [name, [signature, value]]))

test('slice:prefix:name is a scope below the slices that its name tells', (t) => {
  const path = (text: string, user = false) => unitPath(systemdUnit(text, 'id', user))
  t.is(
    path('machine-a-b.slice:libpod:xyz'),
    '/machine.slice/machine-a.slice/machine-a-b.slice/libpod-xyz.scope',
  )
  t.is(path('::one'), '/system.slice/-one.scope')
  t.is(path(''), '/system.slice/keelson-id.scope')
  t.is(path('', true), '/user.slice/keelson-id.scope')
  t.is(path('-:pre:one'), '/pre-one.scope')
  t.is(path('system.slice:ignored:kube-x.slice'), '/kube.slice/kube-x.slice')
  t.is(
    unitPath(systemdUnit('', 'id', true), '/user.slice/user-7.slice'),
    '/user.slice/user-7.slice/user.slice/keelson-id.scope',
  )
})

test('anything else is refused: no path gets out of its slice', (t) => {
  for (const path of [
    '/a/b',
    'a:b',
    'a:b:c:d',
    'x:y:z',
    'a/b.slice:y:z',
    '--a.slice:y:z',
    'a.slice:../..:z',
    ':p:',
    ':p:a b',
  ])
    t.throws(() => systemdUnit(path, 'id', false), { message: /^linux.cgroupsPath/ }, path)
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '-', '.', '/', ':', 'slice', '.slice') }), (text) => {
      try {
        const path = unitPath(systemdUnit(text, 'id', false))
        t.regex(path, /^(\/[\w:.\\@-]+)+$/)
        t.false(path.split('/').includes('..'))
      } catch (error) {
        t.regex(String(error), /linux.cgroupsPath/)
      }
    }),
  )
  t.is(expandSlice('-.slice'), '/')
})

test('limits in the words of systemd, v2', (t) => {
  const resources = {
    memory: { limit: 100, swap: 150, reservation: 50 },
    cpu: { shares: 1024, quota: 12345, period: 100000, cpus: '0-1,9' },
    pids: { limit: -1 },
    unified: { 'memory.high': 'max', 'cpu.pressure': 'x' },
  }
  t.deepEqual(plain(resourceProperties(resources, facts)), {
    MemoryMax: ['t', 100n],
    MemoryLow: ['t', 50n],
    MemorySwapMax: ['t', 50n],
    CPUWeight: ['t', 100n],
    CPUQuotaPeriodUSec: ['t', 100000n],
    CPUQuotaPerSecUSec: ['t', 130000n],
    TasksMax: ['t', 2n ** 64n - 1n],
    AllowedCPUs: ['ay', [3, 2]],
    MemoryHigh: ['t', 2n ** 64n - 1n],
  })
})

test('limits in the words of systemd, v1 and an old one', (t) => {
  const resources = { memory: { limit: 100 }, cpu: { shares: 7, cpus: '0' }, blockIO: { weight: 500 } }
  t.deepEqual(plain(resourceProperties(resources, { ...facts, isV2: false, version: 240 })), {
    MemoryLimit: ['t', 100n],
    CPUShares: ['t', 7n],
    BlockIOWeight: ['t', 500n],
  })
})

test('device rules by node, by driver, and not at all where everything is allowed', (t) => {
  const entries = plain(
    deviceProperties({ devices: [{ allow: true, type: 'c', major: 10, minor: 229, access: 'rw' }] }, facts),
  )
  t.deepEqual(entries['DevicePolicy'], ['s', 'strict'])
  const [, list] = entries['DeviceAllow'] as [string, [string, string][]]
  t.deepEqual(list[0], ['/dev/char/10:229', 'rw'])
  t.true(list.some(([path]) => path === 'char-pts') && list.some(([path]) => path === 'char-*'))
  t.deepEqual(plain(deviceProperties({ devices: [{ allow: true }] }, facts)), {
    DevicePolicy: ['s', 'auto'],
    DeviceAllow: ['a(ss)', []],
  })
})

test('annotations: GVariant text, of the types that are harmless', (t) => {
  const read = (text: string) => {
    const { signature, value } = parseVariant(text, 'x')
    return [signature, value]
  }
  t.deepEqual(read('uint64 123'), ['t', 123n])
  t.deepEqual(read('-5'), ['i', -5])
  t.deepEqual(read('@u 7'), ['u', 7])
  t.deepEqual(read('1.5'), ['d', 1.5])
  t.deepEqual(read("'inactive-or-failed'"), ['s', 'inactive-or-failed'])
  t.deepEqual(read('"a \\"b\\""'), ['s', 'a "b"'])
  t.deepEqual(read("['a', 'b c']"), ['as', ['a', 'b c']])
  t.deepEqual(read('@as []'), ['as', []])
  t.deepEqual(read('true'), ['b', true])
  for (const text of [
    '',
    'abc',
    "'a",
    "[('/bin/sh', ['sh'], false)]",
    '{}',
    '<1>',
    "['a' 'b']",
    'byte 300',
    'uint32 -1',
    '[1]',
  ])
    t.throws(() => parseVariant(text, 'annotations.x'), { message: /annotations.x/ }, text)
})

test('annotations become properties, seconds become microseconds, other annotations are none', (t) => {
  t.deepEqual(
    plain(
      annotatedProperties({
        'org.systemd.property.TimeoutStopUSec': 'uint64 7',
        'org.systemd.property.RuntimeMaxSec': '1.5',
        'org.systemd.property.CollectMode': "'inactive'",
        other: 'x',
      }),
    ),
    { TimeoutStopUSec: ['t', 7n], RuntimeMaxUSec: ['t', 1500000n], CollectMode: ['s', 'inactive'] },
  )
  for (const name of ['A', 'Exec Start', '', 'X-y'])
    t.throws(() => annotatedProperties({ [`org.systemd.property.${name}`]: 'true' }), undefined, name)
})
