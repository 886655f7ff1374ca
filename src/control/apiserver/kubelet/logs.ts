import type { IncomingMessage } from 'node:http'
import type { Pod } from '../../../api/index.ts'
import type { Endpoint } from '../endpoints/endpoint.ts'
import type { StreamBody } from '../http/message.ts'
import { badBody } from '../registry/decode.ts'
import { containerOf, kubeletOf } from './address.ts'
import type { KubeletConnection } from './connection.ts'

const numbers = ['tailLines', 'limitBytes', 'sinceSeconds']
const passed = [...numbers, 'follow', 'previous', 'timestamps', 'sinceTime', 'stream']
const bufferedBytesMax = 1024 * 1024

/** GET pods/NAME/log: the kubelet's log of one container, passed on as it comes. */
export function podLog(kubelets: KubeletConnection): Endpoint {
  return async ({ registry, request, kind, namespace, name }) => {
    const pod = (await registry.get({ kind, namespace, name })).object as Pod
    checkNumbers(request.query)
    const container = containerOf(pod, request.query.get('container'))
    const url = await kubeletOf(registry, pod)
    url.pathname = ['containerLogs', namespace ?? '', name, container]
      .map((part) => `/${encodeURIComponent(part)}`)
      .join('')
    for (const option of passed) {
      const value = request.query.get(option)
      if (value) url.searchParams.set(option, value)
    }
    const response = await kubelets.get(url, request.signal)
    return { status: 200, headers: { 'content-type': 'text/plain' }, body: passOn(response) }
  }
}

function checkNumbers(query: URLSearchParams): void {
  const wrong = numbers.find((option) => query.get(option) && !/^\d{1,15}$/.test(query.get(option) ?? ''))
  if (wrong)
    throw badBody(
      `${wrong}: Invalid value: ${JSON.stringify(query.get(wrong))}: must be greater than or equal to 0`,
    )
}

/** At the pace of the reader: what it has not taken holds the kubelet up. */
function passOn(response: IncomingMessage): StreamBody {
  return async (sink) => {
    for await (const chunk of response) {
      sink.write(chunk as Buffer)
      if (sink.bufferedBytes > bufferedBytesMax) await sink.drained()
    }
  }
}
