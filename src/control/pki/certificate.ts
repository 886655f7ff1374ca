import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import type { X509CertificateGenerator } from '@peculiar/x509'

/** A certificate and its private key, both PEM (the key as PKCS #8). */
export interface TlsIdentity {
  certificate: string
  key: string
}

export interface CertificateRequest {
  commonName: string
  /** Groups, in Kubernetes' reading of the subject's O fields. */
  organizations?: readonly string[]
  /** DNS names and IP addresses that a server answers to. */
  hosts?: readonly string[]
  usage: 'server' | 'client' | 'server and client'
}

export interface Validity {
  notBefore: Date
  notAfter: Date
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

/** The library costs 150 ms to load, which a start with all certificates in place need not pay. */
async function load(): Promise<typeof import('@peculiar/x509')> {
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  x509.cryptoProvider.set(webcrypto as never)
  return x509
}

/** A self-signed CA over P-256. With `key` (PKCS #8 PEM) the old key is kept, so that what it signed stays valid. */
export async function createAuthority(
  commonName: string,
  validity: Validity,
  key?: string,
): Promise<TlsIdentity> {
  const x509 = await load()
  const keys = key === undefined ? await generateKeys() : await importKeys(key)
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: [{ CN: [commonName] }],
    serialNumber: randomSerial(),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificate: pem(certificate), key: key ?? (await exportKey(keys.privateKey)) }
}

/** A fresh key and a certificate for it, signed by `authority`. */
export async function issueCertificate(
  authority: TlsIdentity,
  request: CertificateRequest,
  validity: Validity,
): Promise<TlsIdentity> {
  const x509 = await load()
  const keys = await generateKeys()
  const issuer = new x509.X509Certificate(authority.certificate)
  const parameters: Parameters<typeof X509CertificateGenerator.create>[0] = {
    ...validity,
    subject: [
      ...(request.organizations ?? []).map((organization) => ({ O: [organization] })),
      { CN: [request.commonName] },
    ],
    issuer: issuer.subjectName,
    serialNumber: randomSerial(),
    signingAlgorithm: algorithm,
    signingKey: (await importKeys(authority.key)).privateKey,
    publicKey: keys.publicKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(extendedUsages(x509, request.usage)),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(request.hosts?.length
        ? [new x509.SubjectAlternativeNameExtension(alternativeNames(request.hosts))]
        : []),
    ],
  }
  const certificate = await x509.X509CertificateGenerator.create(parameters)
  return { certificate: pem(certificate), key: await exportKey(keys.privateKey) }
}

/** Why an identity cannot be used (any longer) for what `request` asks, or undefined when it can. */
export function unfitBecause(
  identity: TlsIdentity,
  request: CertificateRequest,
  authority: TlsIdentity,
  notBeforeExpiry: Date,
): string | undefined {
  const certificate = new X509Certificate(identity.certificate)
  const issuer = new X509Certificate(authority.certificate)
  if (!certificate.verify(issuer.publicKey)) return 'signed by another authority'
  if (!certificate.checkPrivateKey(createPrivateKey(identity.key))) return 'the key is not the certificate’s'
  if (new Date(certificate.validTo) <= notBeforeExpiry) return `valid only until ${certificate.validTo}`
  if (subjectOf(certificate).commonName !== request.commonName) return 'another common name'
  const missing = (request.hosts ?? []).find((host) => !covers(certificate, host))
  return missing === undefined ? undefined : `does not name ${missing}`
}

/** CN and O of a subject as Node prints it, one `KEY=value` per line (RFC 2253 escapes undone). */
export function subjectOf(certificate: X509Certificate): { commonName: string; organizations: string[] } {
  const fields = certificate.subject
    .split(/\n|(?<!\\)\+/)
    .map((line) => line.split(/=(.*)/s))
    .map(([key = '', value = '']) => [key, value.replace(/\\(.)/g, '$1')] as const)
  return {
    commonName: fields.find(([key]) => key === 'CN')?.[1] ?? '',
    organizations: fields.filter(([key]) => key === 'O').map(([, value]) => value),
  }
}

function covers(certificate: X509Certificate, host: string): boolean {
  return (isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host)) !== undefined
}

function extendedUsages(x509: typeof import('@peculiar/x509'), usage: CertificateRequest['usage']): string[] {
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage
  if (usage === 'server') return [serverAuth]
  return usage === 'client' ? [clientAuth] : [serverAuth, clientAuth]
}

function alternativeNames(hosts: readonly string[]) {
  return hosts.map((value) => ({ type: isIP(value) ? ('ip' as const) : ('dns' as const), value }))
}

/** 127 random bits: RFC 5280 wants a positive integer of at most 20 octets. */
function randomSerial(): string {
  const bytes = webcrypto.getRandomValues(Buffer.alloc(16))
  bytes[0] = (bytes[0] ?? 0) & 0x7f
  return bytes.toString('hex')
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
}

async function importKeys(key: string): Promise<webcrypto.CryptoKeyPair> {
  const der = Buffer.from(key.replace(/-----[^-]+-----|\s/g, ''), 'base64')
  const privateKey = await webcrypto.subtle.importKey('pkcs8', der, algorithm, true, ['sign'])
  const { d: _secret, key_ops: _operations, ...open } = await webcrypto.subtle.exportKey('jwk', privateKey)
  const publicKey = await webcrypto.subtle.importKey('jwk', open, algorithm, true, ['verify'])
  return { privateKey, publicKey } as webcrypto.CryptoKeyPair
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
  return `-----BEGIN PRIVATE KEY-----\n${lines(der)}\n-----END PRIVATE KEY-----\n`
}

function pem(certificate: { rawData: ArrayBuffer }): string {
  return `-----BEGIN CERTIFICATE-----\n${lines(Buffer.from(certificate.rawData))}\n-----END CERTIFICATE-----\n`
}

function lines(der: Buffer): string {
  return (der.toString('base64').match(/.{1,64}/g) ?? []).join('\n')
}
