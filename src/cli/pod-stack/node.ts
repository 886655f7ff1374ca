import type { ProcessOptions } from '../control-plane.ts'
import { criConfigWith } from '../cri-config.ts'
import { openPodStack, type PodStack } from './index.ts'

/** The pod stack of a cluster's node: its settings, and the defaults of what only `keelson cri` can be told. */
export function openNodePodStack({ config, ...rest }: ProcessOptions): Promise<PodStack> {
  const { instance, dataDirectory, runDirectory, podCidr, registries, credentials } = config
  const settings = {
    instance,
    dataDirectory,
    runDirectory,
    network: { podCidrs: podCidr.split(','), mode: 'builtin' },
    // Garbage as the kubelet's default has it; ours leaves it to this.
    images: { credentials, garbage: { highPercent: 85 } },
  }
  return openPodStack({ ...rest, registries, config: criConfigWith(settings) })
}
