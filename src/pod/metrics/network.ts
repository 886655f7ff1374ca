import { MetricType } from '../../../cri/types.ts'
import type { LinkCounters } from '../../kernel/index.ts'
import { type PodFamily, sample } from './family.ts'

const words: Readonly<Record<keyof LinkCounters, [suffix: string, words: string]>> = {
  bytes: ['bytes', 'Bytes'],
  packets: ['packets', 'Packets'],
  errors: ['errors', 'Errors while packets were'],
  dropped: ['packets_dropped', 'Packets dropped that were to be'],
}
const sides = { receive: 'received', transmit: 'sent' } as const

/** Of each interface; containers share their pod's. */
export const networkFamilies: readonly PodFamily[] = (['receive', 'transmit'] as const).flatMap((side) =>
  (Object.keys(words) as (keyof LinkCounters)[]).map((counted) => ({
    name: `container_network_${side}_${words[counted][0]}_total`,
    help: `${words[counted][1]} ${sides[side]}.`,
    type: MetricType.COUNTER,
    labels: ['interface'],
    read: ({ links }) => links.flatMap((link) => sample(link[side][counted], link.name)),
  })),
)
