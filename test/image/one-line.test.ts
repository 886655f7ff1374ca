/** Words of strangers in messages and on terminals. */
import test from 'ava'
import fc from 'fast-check'
import { hasCode, KeelsonError } from '../../src/base/index.ts'
import { parseManifest } from '../../src/image/manifest.ts'
import { oneLine } from '../../src/image/one-line.ts'
import { refusal } from '../../src/image/registry/failures.ts'

const obeyed = /[\p{Cc}\p{Cf}]/u

test('nothing is left that a terminal obeys, in no more characters; plain words stay', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(40), (text, charactersMax) => {
      const line = oneLine(text, charactersMax)
      return line.length <= charactersMax && !obeyed.test(line)
    }),
  )
  t.is(oneLine('slow \u001b[31m\n down, Größe \u202e ok', 80), 'slow ?[31m down, Größe ? ok')
})

test('what a registry and a manifest say comes into messages without it', (t) => {
  const evil = 'x\u001b]0;title\u0007\r\ny'
  const text = JSON.stringify({ errors: [{ message: evil }] })
  const messages = [refusal({ status: 500 }, 'image a', 'host', text).message]
  for (const document of [
    { schemaVersion: 2, mediaType: evil, manifests: [] },
    {
      schemaVersion: 2,
      config: { mediaType: evil, digest: `sha256:${'0'.repeat(64)}`, size: 1 },
      layers: [],
    },
  ]) {
    const error = t.throws(() => parseManifest(Buffer.from(JSON.stringify(document)), undefined), {
      instanceOf: KeelsonError,
    })
    t.true(hasCode(error, 'DATA_LOSS') || hasCode(error, 'FAILED_PRECONDITION'))
    messages.push(error?.message ?? '')
  }
  for (const message of messages) t.false(obeyed.test(message), message)
})
