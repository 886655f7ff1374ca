import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { proxyUpgrade } from '../../../../cri/streaming/index.ts'
import type { Pod } from '../../../api/index.ts'
import type { Logger } from '../../../base/index.ts'
import type { Call, Endpoint } from '../endpoints/endpoint.ts'
import { badBody } from '../registry/decode.ts'
import { containerOf, kubeletOf } from './address.ts'
import type { KubeletConnection } from './connection.ts'

/** A connection that asks for another protocol, as Node's HTTP server hands it over. */
export interface Upgrade {
  message: IncomingMessage
  socket: Duplex
  head: Buffer
}

/** The API's names of the streams and the kubelet's. */
const streamNames = [
  ['stdin', 'input'],
  ['stdout', 'output'],
  ['stderr', 'error'],
  ['tty', 'tty'],
] as const

/** Splices an upgraded connection (SPDY/3.1 or WebSocket) through to the pod's kubelet, with our certificate. */
export async function streamToKubelet(
  kubelets: KubeletConnection,
  call: Call,
  subresource: string,
  { message, socket, head }: Upgrade,
  log: Logger,
): Promise<void> {
  const { registry, request, kind, namespace = '', name } = call
  const pod = (await registry.get({ kind, namespace, name })).object as Pod
  const target = await kubeletOf(registry, pod)
  if (subresource === 'portforward') setPath(target, 'portForward', namespace, name)
  else setPath(target, subresource, namespace, name, containerOf(pod, request.query.get('container')))
  copyQuery(request.query, target.searchParams)
  await proxyUpgrade({
    request: message,
    socket,
    head,
    target,
    tls: kubelets.tls,
    signal: request.signal,
    onError: (error) => log.debug('stream to a kubelet ended', { path: target.pathname, error }),
  })
}

/** What exec, attach and port-forward answer to a request that is no upgrade. */
export const upgradeRequired: Endpoint = async () => {
  throw badBody('Upgrade request required')
}

function setPath(url: URL, ...parts: string[]): void {
  url.pathname = parts.map((part) => `/${encodeURIComponent(part)}`).join('')
}

function copyQuery(from: URLSearchParams, to: URLSearchParams): void {
  for (const [asked, own] of streamNames) {
    if (['true', '1'].includes(from.get(asked) ?? '')) to.set(own, '1')
  }
  for (const command of from.getAll('command')) to.append('command', command)
  for (const port of from.getAll('ports')) to.append('port', port)
}
