import test from 'ava'
import type { Spec } from '../../../src/oci/index.ts'
import { applyEdits } from '../../../src/pod/cdi/index.ts'

const spec: Spec = {
  ociVersion: '1.2.0',
  process: { cwd: '/', args: ['x'], env: ['A=1', 'B=2'], user: { uid: 0, gid: 0, additionalGids: [5] } },
  mounts: [{ destination: '/etc/hosts', type: 'bind', source: '/h' }],
  linux: { resources: { devices: [{ allow: false, access: 'rwm' }] }, devices: [] },
}

test('every kind of edit, the later over the earlier', async (t) => {
  const changed = await applyEdits(spec, [
    {
      env: ['B=3', 'C=4'],
      additionalGids: [5, 7, 0],
      deviceNodes: [{ path: '/dev/mine', hostPath: '/dev/null', permissions: 'rw', uid: 9 }],
      mounts: [{ hostPath: '/lib/x', containerPath: '/etc/hosts', options: ['ro'] }],
      hooks: [{ hookName: 'createContainer', path: '/hook', args: ['a'], timeout: 3 }],
      intelRdt: { closID: 'guaranteed' },
    },
    {
      env: ['C=5'],
      deviceNodes: [{ path: '/dev/mine', type: 'c', major: 1, minor: 5 }],
      hooks: [{ hookName: 'createContainer', path: '/second' }],
    },
  ])
  t.deepEqual(changed.process?.env, ['A=1', 'B=3', 'C=5'])
  t.deepEqual(changed.process?.user?.additionalGids, [5, 7])
  t.deepEqual(changed.linux?.devices, [{ path: '/dev/mine', type: 'c', major: 1, minor: 5 }])
  t.deepEqual(changed.linux?.resources?.devices, [
    { allow: false, access: 'rwm' },
    { allow: true, access: 'rw', type: 'c', major: 1, minor: 3 },
    { allow: true, access: 'rwm', type: 'c', major: 1, minor: 5 },
  ])
  t.deepEqual(changed.mounts, [
    { destination: '/etc/hosts', source: '/lib/x', type: 'bind', options: ['rbind', 'ro'] },
  ])
  t.deepEqual(changed.hooks?.createContainer, [
    { path: '/hook', args: ['a'], timeout: 3 },
    { path: '/second' },
  ])
  t.is(changed.linux?.intelRdt?.closID, 'guaranteed')
  t.deepEqual(await applyEdits(spec, []), spec)
})

test('a node takes from the host what the file leaves out; one that is nowhere is refused by its path', async (t) => {
  const { linux } = await applyEdits(spec, [{ deviceNodes: [{ path: '/dev/zero' }] }])
  t.like(linux?.devices?.[0], { path: '/dev/zero', type: 'c', major: 1, minor: 5 })
  await t.throwsAsync(applyEdits(spec, [{ deviceNodes: [{ path: '/dev/no-such' }] }]), {
    message: /no device at \/dev\/no-such/,
  })
  await t.throwsAsync(applyEdits(spec, [{ hooks: [{ hookName: 'never', path: '/x' }] }]), {
    message: /"never"/,
  })
})
