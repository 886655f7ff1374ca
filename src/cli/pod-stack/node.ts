import type { ProcessOptions } from '../control-plane.ts'
import { criConfigWith } from '../cri-config.ts'
import { openPodStack, type PodStack } from './index.ts'

/** The pod stack of a cluster's node: its settings, and the defaults of what only `keelson cri` can be told. */
export function openNodePodStack({ config, ...rest }: Omit<ProcessOptions, 'signal'>): Promise<PodStack> {
  const { instance, dataDirectory, runDirectory, podCidr, registries: mirrors } = config
  const settings = {
    instance,
    dataDirectory,
    runDirectory,
    network: { podCidrs: podCidr.split(','), mode: 'builtin' },
    images: { garbage: { highPercent: 85 } }, // as the kubelet's default; ours leaves it to this
  }
  return openPodStack({ ...rest, mirrors, config: criConfigWith(settings) })
}
