import test from 'ava'
import fc from 'fast-check'
import { hasCode } from '../../../../src/base/index.ts'
import { frameHeader, takeFrame } from '../../../../src/cli/oci/compile-service/conversation.ts'

test('a frame is taken when all of it is there, and nothing of the next one', (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), fc.nat(), (payload, next, at) => {
      const frame = Buffer.concat([frameHeader('request', payload.length), payload])
      t.is(takeFrame(frame.subarray(0, at % frame.length), 'request'), undefined)
      t.deepEqual(takeFrame(Buffer.concat([frame, next]), 'request'), Buffer.from(payload))
    }),
  )
})

test('a frame of another kind, another version or too much is refused before it has come', (t) => {
  const other = frameHeader('request', 3)
  other[0] = 9
  const cases = [frameHeader('file', 3), frameHeader('plan', 3), other, frameHeader('request', (1 << 19) + 1)]
  for (const header of cases)
    t.true(
      hasCode(
        t.throws(() => takeFrame(header, 'request')),
        'INVALID_ARGUMENT',
      ),
    )
  t.is(takeFrame(frameHeader('request', 1 << 19), 'request'), undefined)
})
