import type { IncomingMessage } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import type { TlsIdentity } from '../../pki/index.ts'
import { StatusError, type StatusReason } from '../status.ts'

export interface KubeletAccess {
  /** Shown to kubelets. */
  identity: TlsIdentity
  /** PEM of the authority that signs kubelets' certificates. */
  authority: string
}

/** Requests to kubelets over TLS, with our client certificate; connections are kept for the next one. */
export class KubeletConnection implements Disposable {
  readonly tls: { cert: string; key: string; ca: string }
  readonly #agent: Agent

  constructor({ identity, authority }: KubeletAccess) {
    this.tls = { cert: identity.certificate, key: identity.key, ca: authority }
    this.#agent = new Agent({ keepAlive: true, maxFreeSockets: 16, ...this.tls })
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  /** GET; resolves with the answer's head once the kubelet agreed. What it refuses becomes a Status. */
  async get(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
    const response = await this.#send(url, signal)
    const { statusCode = 500 } = response
    if (statusCode < 300) return response
    const text = await textOf(response)
    throw new StatusError(
      reasonByCode[statusCode] ?? 'InternalError',
      text.trim() || `the kubelet answered ${statusCode}`,
    )
  }

  #send(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const outgoing = httpsRequest(url, { agent: this.#agent, signal })
      outgoing.once('response', resolve)
      outgoing.on('error', (error) => reject(unreachable(url, error)))
      outgoing.end()
    })
  }
}

const reasonByCode: Partial<Record<number, StatusReason>> = {
  400: 'BadRequest',
  403: 'Forbidden',
  404: 'NotFound',
  429: 'TooManyRequests',
  503: 'ServiceUnavailable',
}

const textBytesMax = 64 * 1024

async function textOf(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of response) {
    text += String(chunk)
    if (text.length > textBytesMax) break
  }
  return text
}

function unreachable(url: URL, error: Error): StatusError {
  return new StatusError(
    'ServiceUnavailable',
    `the kubelet at ${url.host} cannot be reached: ${error.message}`,
  )
}
