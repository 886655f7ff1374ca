import test from 'ava'
import fc from 'fast-check'
import { systemdUnit, unitPath } from '../../src/oci/cgroup/systemd/unit.ts'
import { cgroupsPathOf, containerCgroup, podCgroupPath, sliceOf } from '../../src/pod/cgroup-place.ts'

test('a pod lies where its caller says, in the words of the driver', (t) => {
  for (const [driver, parent, path] of [
    ['cgroupfs', '', '/keelson/id'],
    ['cgroupfs', '/kubepods/burstable/pod1', '/kubepods/burstable/pod1'],
    ['cgroupfs', 'relative', '/relative'],
    ['systemd', '', '/keelson.slice/keelson-id.slice'],
    [
      'systemd',
      'kubepods-burstable-pod1.slice',
      '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice',
    ],
    ['systemd', '/kubepods.slice/kubepods-pod2.slice', '/kubepods.slice/kubepods-pod2.slice'],
    ['systemd', '/test.slice', '/test.slice'],
  ] as const)
    t.is(podCgroupPath(driver, 'keelson', 'id', parent), path, `${driver} ${parent}`)
})

test('a parent that is written for the other driver is refused, and so is what is no slice', (t) => {
  const refused = (driver: 'cgroupfs' | 'systemd', parent: string, message: RegExp) =>
    t.throws(() => podCgroupPath(driver, 'keelson', 'id', parent), { code: 'INVALID_ARGUMENT', message })
  refused('systemd', '/kubepods/pod1', /written for cgroupfs, but the cgroup driver is systemd$/)
  refused('cgroupfs', 'kubepods-pod1.slice', /written for systemd, but the cgroup driver is cgroupfs$/)
  refused('systemd', 'a--b.slice', /is no slice name/)
})

test('where a container is, is where the runtime puts what its specification says', (t) => {
  const name = fc.stringMatching(/^[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,8}){0,3}$/)
  const id = fc.stringMatching(/^[0-9a-f]{64}$/)
  fc.assert(
    fc.property(name, id, (slice, id) => {
      const pod = podCgroupPath('systemd', 'keelson', id, `${slice}.slice`)
      t.is(sliceOf(pod), `${slice}.slice`)
      t.is(unitPath(systemdUnit(cgroupsPathOf(pod, id), id, false)), containerCgroup(pod, id))
      const plain = podCgroupPath('cgroupfs', 'keelson', id, `/${slice}`)
      t.is(sliceOf(plain), undefined)
      t.is(cgroupsPathOf(plain, id), containerCgroup(plain, id))
    }),
  )
})
