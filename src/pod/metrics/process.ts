import { MetricType } from '../../../cri/types.ts'
import { type MetricFamily, sample, seconds } from './family.ts'

const { GAUGE: gauge } = MetricType

export const processFamilies: readonly MetricFamily[] = [
  {
    name: 'container_processes',
    help: 'Processes that run.',
    type: gauge,
    read: ({ processes }) => sample(processes.processes),
  },
  {
    name: 'container_threads',
    help: 'Threads that run.',
    type: gauge,
    read: ({ stats }) => sample(stats.pids.current),
  },
  {
    name: 'container_threads_max',
    help: 'Threads that may run; 0: any number.',
    type: gauge,
    read: ({ stats }) => sample(stats.pids.limit),
  },
  {
    name: 'container_file_descriptors',
    help: 'Open file descriptors of all its processes.',
    type: gauge,
    read: ({ processes }) => sample(processes.files),
  },
  {
    name: 'container_sockets',
    help: 'Open sockets of all its processes.',
    type: gauge,
    read: ({ processes }) => sample(processes.sockets),
  },
  {
    name: 'container_ulimits_soft',
    help: 'Soft limits of its first process, those that are not unlimited.',
    type: gauge,
    labels: ['ulimit'],
    read: ({ processes }) => [...processes.softLimits].flatMap(([name, value]) => sample(value, name)),
  },
  {
    name: 'container_start_time_seconds',
    help: 'When it was started, in seconds since 1970.',
    type: gauge,
    read: ({ beganAtNs }) => sample(seconds(beganAtNs)),
  },
  {
    name: 'container_last_seen',
    help: 'When it was last looked at, in seconds since 1970.',
    type: gauge,
    read: ({ atNs }) => sample(seconds(atNs)),
  },
]
