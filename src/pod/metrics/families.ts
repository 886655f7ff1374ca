import { MetricDescriptor } from '../../../cri/types.ts'
import { cpuFamilies } from './cpu.ts'
import { deviceFamilies, layerFamilies } from './disk.ts'
import type { MetricFamily, PodFamily } from './family.ts'
import { hugetlbFamilies } from './hugetlb.ts'
import { limitFamilies } from './limits.ts'
import { memoryFamilies } from './memory.ts'
import { networkFamilies } from './network.ts'
import { pressureFamilies } from './pressure.ts'
import { processFamilies } from './process.ts'
import type { ContainerReading } from './reading.ts'

/** First the labels that say whose it is, then the family's own. */
export const subjectLabels = ['container', 'id', 'image', 'name', 'namespace', 'pod'] as const

const ofEvery: readonly MetricFamily[] = [
  ...cpuFamilies,
  ...memoryFamilies,
  ...deviceFamilies,
  ...processFamilies,
  ...limitFamilies,
  ...pressureFamilies,
  ...hugetlbFamilies,
]

export const podFamilies: readonly PodFamily[] = [...ofEvery, ...networkFamilies]
export const containerFamilies: readonly MetricFamily<ContainerReading>[] = [...ofEvery, ...layerFamilies]

export const metricDescriptors: readonly MetricDescriptor[] = [
  ...new Map([...podFamilies, ...containerFamilies].map((family) => [family.name, family])).values(),
].map(({ name, help, labels = [] }) =>
  MetricDescriptor.fromPartial({ name, help, labelKeys: [...subjectLabels, ...labels] }),
)
