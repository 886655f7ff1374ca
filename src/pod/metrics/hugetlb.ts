import { MetricType } from '../../../cri/types.ts'
import { type MetricFamily, sample } from './family.ts'

export const hugetlbFamilies: readonly MetricFamily[] = [
  {
    name: 'container_hugetlb_usage_bytes',
    help: 'Huge pages in use, in bytes.',
    type: MetricType.GAUGE,
    labels: ['pagesize'],
    read: ({ stats }) => Object.entries(stats.hugetlb).flatMap(([size, { usage }]) => sample(usage, size)),
  },
  {
    name: 'container_hugetlb_max_usage_bytes',
    help: 'The most huge pages that were ever in use, in bytes; 0 where the kernel does not tell it.',
    type: MetricType.GAUGE,
    labels: ['pagesize'],
    read: ({ stats }) => Object.entries(stats.hugetlb).flatMap(([size, { max }]) => sample(max, size)),
  },
]
