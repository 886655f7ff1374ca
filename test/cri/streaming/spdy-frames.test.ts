import test from 'ava'
import fc from 'fast-check'
import {
  controlFrame,
  dataHead,
  FrameReader,
  finFlag,
  type SpdyFrame,
} from '../../../cri/streaming/spdy-frames.ts'

type Sent = { id: number; payload: Uint8Array; fin: boolean } | { kind: number; body: Uint8Array }

const sent: fc.Arbitrary<Sent> = fc.oneof(
  fc.record({ id: fc.integer({ min: 1, max: 0x7fff_ffff }), payload: fc.uint8Array(), fin: fc.boolean() }),
  fc.record({ kind: fc.integer({ min: 1, max: 0xffff }), body: fc.uint8Array() }),
)

const bytesOf = (one: Sent) =>
  'kind' in one
    ? controlFrame(one.kind, [], Buffer.from(one.body))
    : Buffer.concat([dataHead(one.id, one.payload.length, one.fin), one.payload])

/** Cuts anywhere. */
function* pieces(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  let at = 0
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1
    yield bytes.subarray(at, at + size)
    at += size
  }
}

/** Pieces of one data frame put together again, as a reader of the stream would see it. */
function joined(frames: Iterable<SpdyFrame>): Sent[] {
  const whole: Sent[] = []
  for (const frame of frames) {
    if (frame.type === 'control') whole.push({ kind: frame.kind, body: new Uint8Array(frame.body) })
    else whole.push({ id: frame.streamId, payload: new Uint8Array(frame.payload), fin: frame.fin })
  }
  return whole
}

/** Neither empty data frames nor the edges between frames of one stream mean anything. */
function meaning(all: readonly Sent[]): string[] {
  const texts: string[] = []
  let last = -1
  for (const one of all) {
    if ('kind' in one) {
      texts.push(`control ${one.kind} ${Buffer.from(one.body).toString('hex')}`)
      last = -1
      continue
    }
    const text = Buffer.from(one.payload).toString('hex')
    if (one.id === last) texts[texts.length - 1] += text
    else if (text !== '' || one.fin) texts.push(`data ${one.id} ${text}`)
    else continue
    if (one.fin) texts[texts.length - 1] += ' fin'
    last = one.fin ? -1 : one.id
  }
  return texts
}

test('frames cut anywhere are read as they were sent', (t) => {
  fc.assert(
    fc.property(fc.array(sent), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (all, sizes) => {
      const reader = new FrameReader()
      const read = [...pieces(Buffer.concat(all.map(bytesOf)), sizes)].flatMap((piece) => [
        ...reader.feed(piece),
      ])
      t.deepEqual(meaning(joined(read)), meaning(all))
    }),
  )
})

test('other protocols and control frames that are too large are refused, data frames of any size are not kept', (t) => {
  const refused = (bytes: Buffer) => t.throws(() => [...new FrameReader().feed(bytes)])
  refused(Buffer.from('8002000100000000', 'hex'))
  refused(Buffer.from('800300010000ffff', 'hex').fill(0xff, 5))
  const reader = new FrameReader()
  t.deepEqual([...reader.feed(dataHead(1, 0xffffff))], [])
  const piece = Buffer.alloc(1000)
  for (let i = 0; i < 100; i++)
    t.deepEqual([...reader.feed(piece)], [{ type: 'data', streamId: 1, payload: piece, fin: false }])
})

test('chance makes frames or an error, never anything else', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        for (const frame of new FrameReader().feed(Buffer.from(bytes)))
          if (frame.type === 'data') t.true(frame.streamId < 0x8000_0000)
      } catch (error) {
        t.like(error, { code: 'INVALID_ARGUMENT' })
      }
    }),
    { numRuns: 1000 },
  )
  t.is(dataHead(5, 3, true).readUInt8(4), finFlag)
})
