/** Exec, attach and port-forward as byte streams over HTTP upgrades: the server side, and passing them on. */
export {
  type ServeStreamingOptions,
  type StreamingServer,
  type StreamingTls,
  serveStreaming,
} from './server.ts'
export { proxyUpgrade, type UpgradeProxyRequest } from './upgrade-proxy.ts'
