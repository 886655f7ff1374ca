import { readFile, stat } from 'node:fs/promises'
import { rootCertificates } from 'node:tls'
import type { Dispatcher } from 'undici'
import { asKeelsonError, KeelsonError } from '../../base/index.ts'
import type { TlsSettings } from './mirrors.ts'

const connectMs = 10_000

/** Pools of connections, one for each way to make them. */
export class Dispatchers implements AsyncDisposable {
  readonly #open = new Map<string, Promise<Dispatcher>>()

  /** Files are read once, and again when they were changed; an absent one fails each time until it is there. */
  async get(tls: TlsSettings): Promise<Dispatcher> {
    const files = [...tls.caFiles, tls.clientCertFile, tls.clientKeyFile]
    const key = JSON.stringify([files, await Promise.all(files.map(changedMs)), tls.skipVerify])
    const known = this.#open.get(key)
    if (known) return await known
    const opening = openDispatcher(tls)
    this.#open.set(key, opening)
    opening.catch(() => this.#open.delete(key))
    return await opening
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const dispatcher of await Promise.allSettled(this.#open.values()))
      if (dispatcher.status === 'fulfilled') await dispatcher.value.destroy()
  }
}

/** Certificates are the usual ones and, where asked for, those of files (the launchers drop NODE_EXTRA_CA_CERTS). */
async function openDispatcher({
  caFiles,
  clientCertFile,
  clientKeyFile,
  skipVerify,
}: TlsSettings): Promise<Dispatcher> {
  const { Agent } = await import('./http.ts')
  const authorities = await Promise.all(caFiles.map((path) => readPem('CA', path)))
  return new Agent({
    connect: {
      timeout: connectMs,
      ...(authorities.length > 0 && { ca: [...rootCertificates, ...authorities] }),
      ...(clientCertFile !== undefined && { cert: await readPem('client certificate', clientCertFile) }),
      ...(clientKeyFile !== undefined && { key: await readPem('client key', clientKeyFile) }),
      ...(skipVerify && { rejectUnauthorized: false }),
    },
  })
}

async function changedMs(path: string | undefined): Promise<number | undefined> {
  return path === undefined ? undefined : (await stat(path).catch(() => undefined))?.mtimeMs
}

async function readPem(what: string, path: string): Promise<string> {
  return await readFile(path, 'utf8').catch((error) => {
    const { message } = asKeelsonError(error, { op: `read the registry ${what} file`, path })
    throw new KeelsonError('FAILED_PRECONDITION', message, { path, cause: error })
  })
}
