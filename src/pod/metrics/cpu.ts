import { MetricType } from '../../../cri/types.ts'
import { type MetricFamily, sample, seconds } from './family.ts'

const { COUNTER: counter } = MetricType

export const cpuFamilies: readonly MetricFamily[] = [
  {
    name: 'container_cpu_usage_seconds_total',
    help: 'Processor time used, in seconds.',
    type: counter,
    labels: ['cpu'],
    read: ({ stats }) => sample(seconds(stats.cpu.usage.total), 'total'),
  },
  {
    name: 'container_cpu_user_seconds_total',
    help: 'Processor time used in user mode, in seconds.',
    type: counter,
    read: ({ stats }) => sample(seconds(stats.cpu.usage.user)),
  },
  {
    name: 'container_cpu_system_seconds_total',
    help: 'Processor time used in the kernel, in seconds.',
    type: counter,
    read: ({ stats }) => sample(seconds(stats.cpu.usage.kernel)),
  },
  {
    name: 'container_cpu_cfs_periods_total',
    help: 'Periods of the processor quota that have passed.',
    type: counter,
    read: ({ stats }) => sample(stats.cpu.throttling.periods),
  },
  {
    name: 'container_cpu_cfs_throttled_periods_total',
    help: 'Periods in which the processor quota ran out.',
    type: counter,
    read: ({ stats }) => sample(stats.cpu.throttling.throttledPeriods),
  },
  {
    name: 'container_cpu_cfs_throttled_seconds_total',
    help: 'Time that was waited for a new processor quota, in seconds.',
    type: counter,
    read: ({ stats }) => sample(seconds(stats.cpu.throttling.throttledTime)),
  },
]
