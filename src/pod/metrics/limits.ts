import { MetricType } from '../../../cri/types.ts'
import { type MetricFamily, sample } from './family.ts'

const { GAUGE: gauge } = MetricType

/** What the kernel enforces; memory without a limit is 0, as cAdvisor has it. */
export const limitFamilies: readonly MetricFamily[] = [
  {
    name: 'container_spec_cpu_period',
    help: 'Period of the processor quota, in microseconds.',
    type: gauge,
    read: ({ inForce }) => sample(inForce.cpu.periodUs),
  },
  {
    name: 'container_spec_cpu_quota',
    help: 'Processor time per period, in microseconds; absent without a quota.',
    type: gauge,
    read: ({ inForce }) => sample(inForce.cpu.quotaUs),
  },
  {
    name: 'container_spec_cpu_shares',
    help: 'Weight of its share of the processors.',
    type: gauge,
    read: ({ inForce }) => sample(inForce.cpu.shares),
  },
  {
    name: 'container_spec_memory_limit_bytes',
    help: 'Limit of memory; 0: none.',
    type: gauge,
    read: ({ inForce }) => sample(inForce.memory.limitBytes ?? 0n),
  },
  {
    name: 'container_spec_memory_reservation_limit_bytes',
    help: 'Memory that is reserved for it or that it is pushed back to; 0: none.',
    type: gauge,
    read: ({ inForce }) => sample(inForce.memory.reservationBytes ?? 0n),
  },
  {
    name: 'container_spec_memory_swap_limit_bytes',
    help: 'Limit of memory and swap together; 0: none.',
    type: gauge,
    read: ({ inForce }) => sample(inForce.memory.swapLimitBytes ?? 0n),
  },
]
