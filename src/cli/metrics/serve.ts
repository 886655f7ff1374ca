import { once } from 'node:events'
import { createServer } from 'node:http'
import { asKeelsonError, KeelsonError } from '../../base/index.ts'

/** Serves one text at `/metrics` of `host:port`, made anew for each who asks. ALREADY_EXISTS when the port is taken. */
export async function serveMetrics(address: string, text: () => Promise<string>): Promise<AsyncDisposable> {
  const server = createServer((request, response) => {
    if (request.url !== '/metrics' || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('metrics are at /metrics\n')
      return
    }
    text().then(
      (body) => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(body),
      (error: unknown) => response.writeHead(500).end(`${asKeelsonError(error).message}\n`),
    )
  })
  const [, host = '', port = ''] = /^\[?([^\]]*)\]?:(\d+)$/.exec(address) ?? []
  server.listen(Number(port), host)
  await once(server, 'listening').catch((cause: unknown) => {
    const { code, message } = asKeelsonError(cause)
    throw new KeelsonError(code, `metrics cannot be served on ${address}: ${message}`, { cause })
  })
  return {
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
