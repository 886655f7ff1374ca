import test from 'ava'
import fc from 'fast-check'
import {
  knownMountOptions,
  MOUNT_ATTR,
  MS,
  parseMountOptions,
  rootfsPropagation,
} from '../../src/oci/mount-options.ts'

test('the options of a runc spec', (t) => {
  t.like(parseMountOptions(['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5']), {
    flags: MS.NOSUID | MS.NOEXEC,
    attributes: { set: MOUNT_ATTR.NOSUID | MOUNT_ATTR.NOEXEC, clear: 0 },
    data: ['newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    bind: false,
  })
  t.like(parseMountOptions(['rbind', 'rslave', 'ro']), {
    bind: true,
    recursiveBind: true,
    flags: MS.RDONLY,
    propagation: [MS.SLAVE | MS.REC],
  })
})

test('the last word wins', (t) => {
  const { flags, clearedFlags, attributes } = parseMountOptions(['ro', 'nosuid', 'rw'])
  t.is(flags, MS.NOSUID)
  t.is(clearedFlags, MS.RDONLY)
  t.deepEqual(attributes, { set: MOUNT_ATTR.NOSUID, clear: MOUNT_ATTR.RDONLY })
})

test('an access time mode clears the whole field before it sets one', (t) => {
  t.deepEqual(parseMountOptions(['rnoatime']).recursive, {
    set: MOUNT_ATTR.NOATIME,
    clear: MOUNT_ATTR.ATIME_MASK, // mount_setattr(2) takes the whole field or nothing
  })
  t.deepEqual(parseMountOptions(['rnoatime', 'rstrictatime']).recursive.set, MOUNT_ATTR.STRICTATIME)
})

test('known words never end up as file system data, unknown ones always do, in order', (t) => {
  const unknown = fc.stringMatching(/^[a-z]{1,8}=[a-z0-9]{1,8}$/)
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constantFrom(...knownMountOptions), unknown)), (options) => {
      const parsed = parseMountOptions(options)
      t.deepEqual(
        parsed.data,
        options.filter((option) => option.includes('=')),
      )
      t.is(parsed.flags & parsed.clearedFlags, 0)
      t.is(parsed.attributes.set & parsed.attributes.clear & ~MOUNT_ATTR.ATIME_MASK, 0)
    }),
  )
})

test('rootfs propagation', (t) => {
  t.is(rootfsPropagation('rslave'), MS.SLAVE | MS.REC)
  t.is(rootfsPropagation(undefined), undefined)
  t.like(
    t.throws(() => rootfsPropagation('sideways')),
    { path: 'linux.rootfsPropagation' },
  )
})
