import 'reflect-metadata'
import { randomUUID, webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

/** A throw-away EC certificate for 127.0.0.1 that is its own authority, with its key, both PEM. */
export async function selfSigned(): Promise<{ key: string; cert: string }> {
  // biome-ignore lint/suspicious/noExplicitAny: the package asks for the browser's type of the same object
  x509.cryptoProvider.set(webcrypto as any)
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  if (!('privateKey' in keys)) throw new Error('not a key pair')
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=test-${randomUUID()}`,
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + 3_600_000),
    extensions: [
      new x509.BasicConstraintsExtension(true),
      new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }]),
    ],
  })
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  const key = `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`
  return { key, cert: certificate.toString('pem') }
}
