import { readFileSync } from 'node:fs'
import test from 'ava'
import fc from 'fast-check'
import { encodeFrame, FrameReader, frameType } from '../../src/oci/frames.ts'

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

test('the words between a server and monitors that another version of it started', (t) => {
  // As version 0.1.0 sends and understands them: version, type, two bytes of nothing, length, what follows.
  const spoken = {
    hello: 16,
    attach: 17,
    stdin: 18,
    stdinEnd: 19,
    stdout: 20,
    stderr: 21,
    resize: 22,
    reopen: 23,
  }
  t.like(frameType, { ...spoken, exited: 4, start: 8, ping: 24, done: 25 })
  t.is(encodeFrame(frameType.ping).toString('hex'), '0118000000000000')
  t.is(encodeFrame(frameType.stdin, Buffer.from('hi')).toString('hex'), '01120000020000006869')
  const header = readFileSync(new URL('../../native/init/message.h', import.meta.url), 'utf8')
  t.regex(header, /^#define FRAME_VERSION 1$/m)
})
