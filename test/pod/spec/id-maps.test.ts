import test from 'ava'
import fc from 'fast-check'
import { NamespaceMode, UserNamespace } from '../../../cri/types.ts'
import { KeelsonError } from '../../../src/base/index.ts'
import { checkSameMaps, ociMappings, podIdMaps, rootOf } from '../../../src/pod/spec/id-maps.ts'

const id = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const mapping = fc.record({ hostId: id, containerId: fc.oneof(fc.constant(0), id), length: id })
const asked = fc.record({
  mode: fc.constantFrom(NamespaceMode.POD, NamespaceMode.CONTAINER, NamespaceMode.NODE, NamespaceMode.TARGET),
  uids: fc.array(mapping, { maxLength: 3 }),
  gids: fc.array(mapping, { maxLength: 3 }),
})

test('property: a pod has exactly one range of each kind, root in it, all of it real ids; else it is refused', (t) => {
  const property = fc.property(asked, (one) => {
    const request = UserNamespace.fromPartial(one)
    try {
      const maps = podIdMaps(request)
      if (!maps) return one.mode === NamespaceMode.NODE && one.uids.length + one.gids.length === 0
      checkSameMaps(request, maps)
      return [maps.uids, maps.gids].every(
        ([first, ...more]) =>
          more.length === 0 &&
          first?.containerID === 0 &&
          first.size > 0 &&
          first.hostID + first.size < 2 ** 32,
      )
    } catch (error) {
      return error instanceof KeelsonError && error.code === 'INVALID_ARGUMENT'
    }
  })
  t.notThrows(() => fc.assert(property))
})

test('who is root outside; a container may only say the same as its pod', (t) => {
  const range = { hostId: 5000, containerId: 0, length: 10 }
  const request = UserNamespace.fromPartial({ uids: [range], gids: [{ ...range, hostId: 6000 }] })
  const maps = podIdMaps(request)
  t.deepEqual(rootOf(maps), { uid: 5000, gid: 6000 })
  t.deepEqual(rootOf(undefined), { uid: 0, gid: 0 })
  t.notThrows(() => checkSameMaps(undefined, maps))
  t.notThrows(() => checkSameMaps(request, maps))
  const node = UserNamespace.fromPartial({ mode: NamespaceMode.NODE })
  t.notThrows(() => checkSameMaps(node, undefined))
  t.throws(() => checkSameMaps(node, maps), { message: /another user namespace/ })
  t.throws(() => checkSameMaps(request, undefined), { message: /another user namespace/ })
  t.deepEqual(ociMappings([range]), [{ containerID: 0, hostID: 5000, size: 10 }])
})
