import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { StreamingTls } from '../../cri/streaming/index.ts'
import { KeelsonError } from '../base/index.ts'
import type { CriConfig } from './cri-settings/index.ts'

type TlsConfig = CriConfig['streaming']['tls']

/** Undefined: no TLS is asked for. INVALID_ARGUMENT names the setting whose file is not what it should be. */
export async function readTls({ certificate, key, clientCa }: TlsConfig): Promise<StreamingTls | undefined> {
  if (certificate === '' && key === '' && clientCa === '') return undefined
  if (certificate === '' || key === '')
    throw new KeelsonError('INVALID_ARGUMENT', 'streaming.tls needs both certificate and key')
  const [cert, ownKey, ca] = await Promise.all([
    readPem('certificate', certificate),
    readPem('key', key),
    clientCa === '' ? undefined : readPem('clientCa', clientCa),
  ])
  parsed('certificate', certificate, () => new X509Certificate(cert))
  if (ca) parsed('clientCa', clientCa, () => new X509Certificate(ca))
  const fits = parsed('key', key, () => new X509Certificate(cert).checkPrivateKey(createPrivateKey(ownKey)))
  if (!fits) throw wrong('key', key, `is not the key of ${certificate}`)
  return { cert, key: ownKey, ...(ca && { ca }) }
}

async function readPem(name: keyof TlsConfig, path: string): Promise<Buffer> {
  return await readFile(path).catch((cause) => {
    throw wrong(name, path, 'cannot be read', cause)
  })
}

function parsed<Value>(name: keyof TlsConfig, path: string, parse: () => Value): Value {
  try {
    return parse()
  } catch (cause) {
    throw wrong(name, path, 'is not PEM of what it should be', cause)
  }
}

function wrong(name: keyof TlsConfig, path: string, words: string, cause?: unknown): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', `streaming.tls.${name}: ${path} ${words}`, { path, cause })
}
