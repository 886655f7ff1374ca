import { serveStreaming } from '../../../cri/streaming/index.ts'
import type { PodStackOptions } from './options.ts'

/** Where exec, attach and port-forward are served. */
export function openStreaming({ config, log }: PodStackOptions): ReturnType<typeof serveStreaming> {
  const { address, port } = config.streaming
  return serveStreaming({
    host: address,
    port,
    onError: (error) => log.warn('stream failed', { error }),
  })
}
