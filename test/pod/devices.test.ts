import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { KeelsonError } from '../../src/base/index.ts'
import { devicesOf } from '../../src/pod/devices.ts'
import { containerConfig } from '../support/pod-requests.ts'
import { rootTest } from '../support/root.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

test('a device asked for: its numbers, its place inside, the access given', async (t) => {
  const devices = [
    { hostPath: '/dev/null', containerPath: '/dev/nothing', permissions: 'r' },
    { hostPath: '/dev/zero', containerPath: '', permissions: '' },
  ]
  const found = await devicesOf(containerConfig('main', { devices }))
  t.like(found[0], { access: 'r', device: { path: '/dev/nothing', type: 'c', major: 1, minor: 3 } })
  t.like(found[1], { access: 'rwm', device: { path: '/dev/zero', type: 'c', major: 1, minor: 5 } })
})

rootTest('a directory is every device below it, block devices too, and nothing else', async (t) => {
  await using folder = await temporaryDirectory()
  await mkdir(join(folder.path, 'deep'))
  await writeFile(join(folder.path, 'readme'), '')
  execFileSync('mknod', [join(folder.path, 'disk'), 'b', '7', '99'])
  execFileSync('mknod', [join(folder.path, 'deep/tape'), 'c', '9', '300'])
  const devices = [{ hostPath: folder.path, containerPath: '/dev/all', permissions: 'rw' }]
  const found = await devicesOf(containerConfig('main', { devices }))
  const byPath = Object.fromEntries(found.map(({ device, access }) => [device.path, { ...device, access }]))
  t.deepEqual(Object.keys(byPath).sort(), ['/dev/all/deep/tape', '/dev/all/disk'])
  t.like(byPath['/dev/all/disk'], { type: 'b', major: 7, minor: 99, access: 'rw' })
  t.like(byPath['/dev/all/deep/tape'], { type: 'c', major: 9, minor: 300, access: 'rw' })
})

test('what is no device is refused and named', async (t) => {
  for (const hostPath of ['/dev/absent', '/etc/passwd']) {
    const devices = [{ hostPath, containerPath: hostPath, permissions: 'rwm' }]
    const error = await t.throwsAsync(devicesOf(containerConfig('main', { devices })), {
      instanceOf: KeelsonError,
      message: new RegExp(hostPath),
    })
    t.is(error.code, 'INVALID_ARGUMENT')
  }
})

test('privileged: the devices of the host, without those a container has of its own', async (t) => {
  const found = await devicesOf(containerConfig('main', { linux: { securityContext: { privileged: true } } }))
  const paths = found.map(({ device }) => device.path)
  t.false(paths.includes('/dev/null'))
  t.false(paths.some((path) => path.startsWith('/dev/pts/') || path.startsWith('/dev/shm/')))
  t.is(new Set(paths).size, paths.length)
})
