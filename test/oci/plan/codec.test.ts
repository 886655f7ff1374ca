import test from 'ava'
import fc from 'fast-check'
import { hasCode } from '../../../src/base/index.ts'
import { decodePlan, encodePlan } from '../../../src/oci/plan/index.ts'
import { type ArgumentKind, type Operation, operationTable } from '../../../src/oci/plan/operations.ts'

const text = fc.string({ unit: 'grapheme' }).filter((one) => !one.includes('\0'))
const u32 = fc.integer({ min: 0, max: 0xffffffff })
const valuesOf: Record<ArgumentKind, fc.Arbitrary<unknown>> = {
  u32,
  u64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  string: text,
  bytes: fc.uint8Array({ maxLength: 64 }),
  strings: fc.array(text, { maxLength: 5 }),
  fd: u32,
  newFd: u32,
}
const operation = fc.oneof(
  ...Object.entries(operationTable).map(([op, { args }]) =>
    fc.record({
      op: fc.constant(op),
      ...Object.fromEntries(Object.entries<ArgumentKind>(args).map(([name, kind]) => [name, valuesOf[kind]])),
    }),
  ),
) as fc.Arbitrary<Operation>
const plan = fc.record({
  parent: fc.array(operation, { maxLength: 8 }),
  child: fc.array(operation, { maxLength: 8 }),
})

test('what is encoded comes back', (t) => {
  fc.assert(fc.property(plan, (one) => void t.deepEqual(decodePlan(encodePlan(one)), one)))
})

test('broken bytes are refused, never misread past their end', (t) => {
  const flip = fc.tuple(plan, fc.nat(), fc.nat({ max: 255 }))
  fc.assert(
    fc.property(flip, ([one, at, byte]) => {
      const bytes = encodePlan(one)
      bytes[at % bytes.length] = byte
      try {
        decodePlan(bytes.subarray(0, bytes.length - (at % 3)))
      } catch (error) {
        t.true(hasCode(error, 'DATA_LOSS'))
      }
    }),
  )
  t.throws(() => decodePlan(new Uint8Array(10)), { message: /no plan/ })
})

test('a NUL byte cannot cut a string short', (t) => {
  const bad = { parent: [{ op: 'makeDirectory', path: '/a\0b', mode: 0 } as const], child: [] }
  t.throws(() => encodePlan(bad), { message: /NUL/ })
})
