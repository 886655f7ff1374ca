import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { readTls } from '../../src/cli/streaming-tls.ts'
import { selfSigned } from '../support/self-signed.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

test('certificate and key belong together, and what is wrong is named by its setting', async (t) => {
  await using folder = await temporaryDirectory()
  const [one, other] = await Promise.all([selfSigned(), selfSigned()])
  const put = async (name: string, text: string) => {
    const path = join(folder.path, name)
    await writeFile(path, text)
    return path
  }
  const certificate = await put('cert.pem', one.cert)
  const key = await put('key.pem', one.key)
  const none = { certificate: '', key: '', clientCa: '' }
  t.is(await readTls(none), undefined)
  t.like(await readTls({ certificate, key, clientCa: certificate }), { ca: Buffer.from(one.cert) })
  t.false('ca' in ((await readTls({ certificate, key, clientCa: '' })) ?? {}))
  const refused = async (more: Partial<typeof none>, message: RegExp) => {
    const tls = { certificate, key, clientCa: '', ...more }
    await t.throwsAsync(readTls(tls), { code: 'INVALID_ARGUMENT', message })
  }
  await refused({ key: '' }, /needs both certificate and key$/)
  await refused({ certificate: '', key: '', clientCa: certificate }, /needs both certificate and key$/)
  await refused({ key: '/no/such' }, /^streaming\.tls\.key: \/no\/such cannot be read$/)
  await refused(
    { key: await put('other.pem', other.key) },
    /tls\.key: .*other\.pem is not the key of .*cert\.pem$/,
  )
  await refused({ certificate: key }, /tls\.certificate: .*key\.pem is not PEM of what it should be$/)
  await refused({ clientCa: await put('text', 'x') }, /tls\.clientCa: .* is not PEM/)
})
