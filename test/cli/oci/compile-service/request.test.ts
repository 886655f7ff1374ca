import test from 'ava'
import fc from 'fast-check'
import { hasCode } from '../../../../src/base/index.ts'
import {
  decodeRequest,
  encodeRequest,
  type FrontRequest,
} from '../../../../src/cli/oci/compile-service/request.ts'

const text = fc.string({ unit: 'grapheme' }).filter((one) => !one.includes('\0'))
const id = fc.nat()
const limit = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })
const requests: fc.Arbitrary<FrontRequest> = fc.record({
  build: text,
  pid: id,
  uid: id,
  gid: id,
  fileLimit: fc.record({ soft: limit, hard: limit }),
  cwd: text,
  uidMap: text,
  cgroup: text,
  mountinfo: text,
  words: fc.array(text),
  env: fc.dictionary(
    text.filter((name) => name !== '' && !name.includes('=')),
    text,
    { noNullPrototype: true },
  ),
})

test('a request is read as it was written', (t) => {
  fc.assert(
    fc.property(requests, (request) => void t.deepEqual(decodeRequest(encodeRequest(request)), request)),
  )
})

test('what is no request is refused, whatever it is', (t) => {
  const refused = (bytes: Buffer) => {
    try {
      decodeRequest(bytes)
    } catch (error) {
      t.true(hasCode(error, 'INVALID_ARGUMENT'))
    }
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => refused(Buffer.from(bytes))))
  const cut = fc.tuple(requests, fc.nat())
  fc.assert(
    fc.property(cut, ([request, at]) => {
      const bytes = encodeRequest(request)
      refused(bytes.subarray(0, at % bytes.length))
    }),
  )
  t.throws(() => decodeRequest(Buffer.alloc(0)))
  t.throws(() => decodeRequest(Buffer.from('a\0'.repeat(12))))
})
