import { type StreamingServer, serveStreaming } from '../../../cri/streaming/index.ts'
import { Followed } from '../followed.ts'
import { readTls } from '../streaming-tls.ts'
import type { PodStackOptions } from './options.ts'

/** Where exec, attach and port-forward are served. A certificate that was changed is looked for with each new URL. */
export async function openStreaming({ config, log: above }: PodStackOptions): Promise<StreamingServer> {
  const { address, port, idleTimeoutMs, tls } = config.streaming
  const log = above.child({ part: 'streaming' })
  const paths = [tls.certificate, tls.key, tls.clientCa].filter((path) => path !== '')
  const files = await Followed.open({ paths, read: () => readTls(tls), log })
  let used = await files.value()
  const server = await serveStreaming({
    host: address,
    port,
    idleTimeoutMs,
    ...(used && { tls: used }),
    onError: (error) => log.warn('stream failed', { error }),
  })
  if (!used) return server
  const look = async () => {
    const now = await files.value()
    if (now && now !== used) server.renew(now)
    used = now
  }
  return withLook(server, () =>
    look().catch((error) => log.error('the certificate cannot be used', { error })),
  )
}

function withLook(server: StreamingServer, look: () => Promise<void>): StreamingServer {
  const { exec, attach, portForward } = server
  const after = <Words extends unknown[]>(issue: (...words: Words) => string) => {
    return (...words: Words) => {
      void look() // a client needs longer to come with the URL
      return issue(...words)
    }
  }
  return Object.assign(server, { exec: after(exec), attach: after(attach), portForward: after(portForward) })
}
