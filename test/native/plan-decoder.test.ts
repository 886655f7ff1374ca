/** The decoder of keelson-init on broken plans: it may refuse or accept, but never read outside of them. */
import test from 'ava'
import fc from 'fast-check'
import { encodePlan } from '../../src/oci/plan/index.ts'
import type { Plan } from '../../src/oci/plan/operations.ts'
import { isFull } from '../support/attacker.ts'
import { buildPlanDecoder } from '../support/plan-decoder.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const plan: Plan = {
  parent: [
    { op: 'openPath', path: '/a', flags: 1, to: 5 },
    { op: 'writeFile', path: '/b', data: Buffer.from('data'), flags: 0 },
    { op: 'clone', flags: 0x7fffffffffn, cgroup: 0xffffffff },
  ],
  child: [
    { op: 'rootOverlay', lower: ['/x', '/y', ''], upper: '/u', work: '/w', flags: 0 },
    { op: 'execute', args: ['a', 'b'], env: [] },
  ],
}

const count = isFull ? 100_000 : 10_000

test(`${count} broken plans, none read beyond its end`, async (t) => {
  t.timeout(600_000)
  await using directory = await temporaryDirectory()
  const decode = buildPlanDecoder(directory.path)
  const good = encodePlan(plan)
  const change = fc.record({
    edits: fc.array(fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 })), { maxLength: 4 }),
    cut: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat({ max: good.length })),
  })
  const broken = fc.sample(change, count).map(({ edits, cut }) => {
    const bytes = Buffer.from(good)
    for (const [at, byte] of edits) bytes[at] = byte
    return bytes.subarray(0, bytes.length - cut)
  })
  const verdicts = decode([good, ...broken])
  t.is(verdicts.length, broken.length + 1)
  t.is(verdicts[0], 'valid')
  t.true(verdicts.filter((verdict) => verdict === 'refused').length > 1000)
})
