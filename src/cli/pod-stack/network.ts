import { keepReady, type NamespacePins, openNamespacePins } from '../../kernel/index.ts'
import type { Ledger } from '../../ledger/index.ts'
import { createPodNetwork, type PodNetwork } from '../../network/index.ts'
import { usualNamespaces } from '../../pod/index.ts'
import { pathsOf } from '../paths.ts'
import type { PodStackOptions } from './options.ts'

/** How many pods that come at once find their namespaces ready. */
const readyNamespaces = 8

export async function openPins({
  config: { runDirectory },
  clock,
  log,
}: PodStackOptions): Promise<NamespacePins> {
  const parts = { clock, log: log.child({ part: 'pins' }) }
  const pins = await openNamespacePins({ runDirectory, ...parts })
  return keepReady(pins, { ...parts, template: usualNamespaces, count: readyNamespaces })
}

export function openNetwork(
  { config: { instance, runDirectory, dataDirectory, network }, clock, log }: PodStackOptions,
  ledger: Ledger,
  pins: NamespacePins,
): Promise<PodNetwork> {
  const paths = pathsOf({ dataDirectory, runDirectory })
  return createPodNetwork({
    instance,
    podCidr: network.podCidrs.join(','),
    mode: network.mode,
    cni: {
      ...network.cni,
      cacheDir: network.cni.cacheDir || paths.cni,
      env: process.env,
      clock,
      namespacePath: (id) => pins.networkPath(id),
    },
    runDirectory,
    ledger,
    dataDirectory: paths.network,
    clock,
    log: log.child({ part: 'network' }),
  })
}
