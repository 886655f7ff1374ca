import { readFile } from 'node:fs/promises'
import test from 'ava'
import fc from 'fast-check'
import { Mount, MountPropagation } from '../../cri/types.ts'
import { hasCode } from '../../src/base/index.ts'
import { checkPropagation, mountOf, parseMountTable } from '../../src/pod/propagation.ts'

const table = parseMountTable(
  [
    '22 1 8:1 / / rw,relatime - ext4 /dev/sda rw',
    '23 22 0:5 / /var rw shared:7 - tmpfs none rw',
    '24 23 0:6 / /var/lib rw master:3 - tmpfs none rw',
    '25 22 0:7 / /with\\040space rw shared:9 master:2 - tmpfs none rw',
    '26 23 0:8 / /var rw - tmpfs none rw',
    '',
  ].join('\n'),
)

test('the table is read as the kernel writes it', (t) => {
  t.deepEqual(table[0], { place: '/', isShared: false, isSlave: false })
  t.deepEqual(table[2], { place: '/var/lib', isShared: false, isSlave: true })
  t.deepEqual(table[3], { place: '/with space', isShared: true, isSlave: true })
})

test('a path lies on the deepest mount above it, of several at one place the last', (t) => {
  t.is(mountOf('/var/lib/x', table), table[2])
  t.is(mountOf('/var/library', table), table[4])
  t.is(mountOf('/with space', table), table[3])
  t.is(mountOf('/elsewhere', table), table[0])
})

test('property: the mount that is found is above the path, and none above it is deeper', (t) => {
  const path = fc
    .array(fc.constantFrom('a', 'b', 'c'), { maxLength: 4 })
    .map((names) => `/${names.join('/')}`)
  const property = fc.property(path, fc.array(path), (one, places) => {
    const entries = ['/', ...places].map((place) => ({ place, isShared: false, isSlave: false }))
    const found = mountOf(one, entries)?.place ?? ''
    const isAbove = (place: string) => place === '/' || `${one}/`.startsWith(`${place}/`)
    return isAbove(found) && entries.every(({ place }) => !isAbove(place) || place.length <= found.length)
  })
  t.notThrows(() => fc.assert(property))
})

test('a private volume may lie anywhere, one that propagates only on a shared mount', async (t) => {
  const mount = (propagation: MountPropagation) => [Mount.fromPartial({ hostPath: '/proc', propagation })]
  await t.notThrowsAsync(checkPropagation(mount(MountPropagation.PROPAGATION_PRIVATE)))
  await t.notThrowsAsync(checkPropagation([]))
  const own = mountOf('/proc', parseMountTable(await readFile('/proc/self/mountinfo', 'utf8')))
  const asked = checkPropagation(mount(MountPropagation.PROPAGATION_BIDIRECTIONAL))
  if (own?.isShared) await t.notThrowsAsync(asked)
  else
    t.true(
      hasCode(
        await t.throwsAsync(asked, { message: /at \/proc, which is not shared/ }),
        'FAILED_PRECONDITION',
      ),
    )
})
