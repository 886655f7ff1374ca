import test from 'ava'
import fc from 'fast-check'
import { compileRlimits, rlimInfinity } from '../../src/oci/rlimits.ts'

test('values below 2^53 arrive exactly', (t) => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (soft, hard) => {
      t.deepEqual(compileRlimits([{ type: 'RLIMIT_NOFILE', soft, hard }]), [
        { resource: 7, soft: BigInt(soft), hard: BigInt(hard) },
      ])
    }),
  )
})

test('infinity survives JSON, which rounds 2^64 - 1', (t) => {
  const [limit] = compileRlimits(JSON.parse('[{"type":"RLIMIT_CORE","soft":18446744073709551615,"hard":-1}]'))
  t.deepEqual(limit, { resource: 4, soft: rlimInfinity, hard: rlimInfinity })
})

test('an unknown or repeated type names its place', (t) => {
  const wrong = t.throws(() => compileRlimits([{ type: 'NOFILE', soft: 1, hard: 1 }]))
  t.like(wrong, { code: 'INVALID_ARGUMENT', path: 'process.rlimits[0].type' })
  const one = { type: 'RLIMIT_AS', soft: 1, hard: 1 }
  t.like(
    t.throws(() => compileRlimits([one, one])),
    { path: 'process.rlimits[1].type' },
  )
})
