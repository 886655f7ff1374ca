import { Cleanup } from '../base/index.ts'
import type { Collected, ImageStore } from '../image/index.ts'
import type { ProcessOptions } from './control-plane.ts'
import type { CriConfig } from './cri-settings/index.ts'
import { serveSocket } from './cri-socket.ts'
import { faultPoint } from './fault-point.ts'
import { Collector, stopwatch } from './metrics/collect.ts'
import { CriMetrics } from './metrics/cri-metrics.ts'
import { observeCalls } from './metrics/observe-calls.ts'
import { observePulls } from './metrics/observe-pulls.ts'
import { serveMetrics } from './metrics/serve.ts'
import { serveBeside } from './oci/compile-service/start.ts'
import { openPodStack, type PodStack } from './pod-stack/index.ts'
import { QuietCollector } from './quiet-collector.ts'

/** The pod stack behind a socket, for anybody who speaks CRI. */
export async function startCriEndpoint({ faultFile, ...options }: CriOptions): Promise<AsyncDisposable> {
  const { clock, log, config } = options
  await using undo = new Cleanup()
  const metrics = config.metrics.address === '' ? undefined : new CriMetrics()
  const { registries } = config.images
  const around =
    faultFile === undefined ? metrics && stopwatch(metrics, clock.monotonicMs) : faultPoint(faultFile)
  const observed = metrics && ((images: ImageStore) => observePulls(images, metrics, clock))
  const collected = metrics && ((freed: Collected) => metrics.countCollected(freed))
  const pods = await undo.use(openPodStack({ ...options, registries, around, observed, collected }))
  if (metrics) await undo.use(serveObserved(metrics, pods, options))
  const quiet = await undo.use(new QuietCollector(clock))
  const ended = (method: string) => quiet.ended(method)
  const observer = { clock, log: log.child({ part: 'cri' }), metrics, ended }
  const runtime = observeCalls(pods.runtime, observer)
  await undo.use(serveSocket(config.socket, { runtime, image: observeCalls(pods.image, observer) }))
  options.onStep(`CRI on ${config.socket.path}`)
  await undo.use(serveBeside({ clock, log: log.child({ part: 'oci' }) }))
  return undo.move()
}

interface CriOptions extends ProcessOptions<CriConfig> {
  /** For tests of restarts: where fault-point.ts reads at which step to die. */
  faultFile?: string | undefined
}

async function serveObserved(
  metrics: CriMetrics,
  pods: PodStack,
  { config, clock, onStep }: CriOptions,
): Promise<AsyncDisposable> {
  metrics.recoverySeconds.set({}, clock.monotonicMs() / 1000)
  await using undo = new Cleanup()
  const collector = await undo.use(new Collector(metrics, pods))
  await undo.use(serveMetrics(config.metrics.address, () => collector.text()))
  onStep(`metrics on ${config.metrics.address}`)
  return undo.move()
}
