import test from 'ava'
import fc from 'fast-check'
import { capabilitiesOfMask, capabilityMasks, capabilityNames } from '../../src/oci/capabilities.ts'

test('the numbers are the kernel ones at both ends', (t) => {
  t.is(capabilityNames.indexOf('CAP_SYS_ADMIN'), 21)
  t.is(capabilityNames.indexOf('CAP_CHECKPOINT_RESTORE'), 40)
})

test('absent sets are empty and unknown names are reported once', (t) => {
  const masks = capabilityMasks({ bounding: ['CAP_CHOWN', 'CAP_FLY'], effective: ['CAP_FLY'] })
  t.is(masks.bounding, 1n)
  t.is(masks.effective, 0n)
  t.is(masks.ambient, 0n)
  t.deepEqual(masks.unknown, ['CAP_FLY'])
})

test('names → mask → names', (t) => {
  fc.assert(
    fc.property(fc.subarray([...capabilityNames]), (names) => {
      const { permitted, unknown } = capabilityMasks({ permitted: names })
      t.deepEqual(capabilitiesOfMask(permitted), names)
      t.deepEqual(unknown, [])
    }),
  )
})
