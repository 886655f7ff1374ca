import test from 'ava'
import fc from 'fast-check'
import { encodeFrame, FrameReader } from '../../src/oci/frames.ts'

const frames = fc.array(fc.record({ type: fc.nat({ max: 255 }), payload: fc.uint8Array({ maxLength: 300 }) }))

test('frames come out as they went in, however the stream is cut', (t) => {
  fc.assert(
    fc.property(frames, fc.integer({ min: 1, max: 50 }), (sent, cut) => {
      const bytes = Buffer.concat(sent.map(({ type, payload }) => encodeFrame(type, payload)))
      const reader = new FrameReader()
      const received = []
      for (let at = 0; at < bytes.length; at += cut)
        received.push(...reader.push(bytes.subarray(at, at + cut)))
      t.deepEqual(
        received.map(({ type, payload }) => ({ type, payload: new Uint8Array(payload) })),
        sent.map(({ type, payload }) => ({ type, payload: new Uint8Array(payload) })),
      )
    }),
  )
})
