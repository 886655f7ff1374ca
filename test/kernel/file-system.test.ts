import test from 'ava'
import { canIdmap, fileSystemName, isIdmappable } from '../../src/kernel/index.ts'

test('file systems by their magic number', (t) => {
  t.is(fileSystemName(61_267), 'ext4')
  t.is(fileSystemName(0x1234), '0x1234')
})

test('idmapped mounts: since when, by file system', (t) => {
  for (const [name, release, can] of [
    ['ext4', '5.14.0', true],
    ['ext4', '5.11.9', false],
    ['tmpfs', '6.2.16', false],
    ['tmpfs', '6.3.0-rc1', true],
    ['overlay', '10.0', true],
    ['nfs', '6.18.0', false],
    ['ext4', 'nonsense', false],
  ] as const)
    t.is(isIdmappable(name, release), can, `${name} ${release}`)
})

test('of this machine: /proc cannot, whatever the kernel', async (t) => {
  t.false(await canIdmap('/proc'))
})
