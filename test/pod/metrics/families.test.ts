import test from 'ava'
import {
  containerFamilies,
  metricDescriptors,
  podFamilies,
  subjectLabels,
} from '../../../src/pod/metrics/families.ts'
import type { ContainerReading, PodReading } from '../../../src/pod/metrics/reading.ts'
import { containerReading, podReading } from '../../support/metric-readings.ts'

/** What the conformance suite of cri-tools wants of a runtime, each with `container_` before it. */
const wanted = `
  blkio_device_usage_total cpu_cfs_periods_total cpu_cfs_throttled_periods_total
  cpu_cfs_throttled_seconds_total cpu_system_seconds_total cpu_usage_seconds_total
  cpu_user_seconds_total file_descriptors fs_inodes_free fs_inodes_total fs_limit_bytes
  fs_reads_bytes_total fs_reads_total fs_usage_bytes fs_writes_bytes_total fs_writes_total
  hugetlb_max_usage_bytes hugetlb_usage_bytes last_seen memory_cache memory_failcnt
  memory_failures_total memory_kernel_usage memory_mapped_file memory_max_usage_bytes memory_rss
  memory_swap memory_usage_bytes memory_working_set_bytes network_receive_bytes_total
  network_receive_errors_total network_receive_packets_dropped_total network_receive_packets_total
  network_transmit_bytes_total network_transmit_errors_total network_transmit_packets_dropped_total
  network_transmit_packets_total oom_events_total pressure_cpu_stalled_seconds_total
  pressure_cpu_waiting_seconds_total pressure_io_stalled_seconds_total
  pressure_io_waiting_seconds_total pressure_memory_stalled_seconds_total
  pressure_memory_waiting_seconds_total processes sockets spec_cpu_period spec_cpu_quota
  spec_cpu_shares spec_memory_limit_bytes spec_memory_reservation_limit_bytes
  spec_memory_swap_limit_bytes start_time_seconds threads threads_max ulimits_soft
`

test('every metric that monitoring of Kubernetes knows has a descriptor, and no other', (t) => {
  const names = wanted
    .trim()
    .split(/\s+/)
    .map((name) => `container_${name}`)
  t.is(names.length, 56)
  t.deepEqual(metricDescriptors.map(({ name }) => name).toSorted(), names.toSorted())
  for (const { name, help, labelKeys } of metricDescriptors) {
    t.regex(help, /^[A-Z].*\.$/, name)
    t.deepEqual(labelKeys.slice(0, subjectLabels.length), [...subjectLabels])
    t.is(new Set(labelKeys).size, labelKeys.length)
  }
})

test('every family has values, with as many labels as it says', (t) => {
  for (const v of ['v1', 'v2'] as const) {
    for (const family of podFamilies) check(family, podReading(v))
    for (const family of containerFamilies) check(family, containerReading(v))
  }
  function check<From>(
    {
      name,
      labels = [],
      read,
    }: {
      name: string
      labels?: readonly string[]
      read(from: From): readonly { labels?: readonly string[] }[]
    },
    reading: From,
  ) {
    const samples = read(reading)
    t.true(samples.length > 0, name)
    for (const sample of samples) t.is(sample.labels?.length ?? 0, labels.length, name)
    const keys = samples.map((sample) => JSON.stringify(sample.labels))
    t.is(new Set(keys).size, keys.length, `${name}: one value for one set of labels`)
  }
})

test('seconds are whole, both versions tell the same, what is not counted is left out', (t) => {
  const valuesOf = (name: string, reading: PodReading | ContainerReading) =>
    [...podFamilies, ...containerFamilies]
      .find((family) => family.name === name)
      ?.read(reading as PodReading & ContainerReading)
      .map(({ value, labels = [] }) => [...labels, value])
  for (const v of ['v1', 'v2'] as const) {
    const reading = podReading(v)
    t.deepEqual(valuesOf('container_cpu_usage_seconds_total', reading), [['total', 7n]])
    t.deepEqual(valuesOf('container_memory_cache', reading), [[4096n]])
    t.deepEqual(valuesOf('container_memory_kernel_usage', reading), [[300n]])
    t.deepEqual(
      valuesOf('container_memory_failures_total', reading),
      [
        ['pgfault', 'container', 5n],
        ['pgfault', 'hierarchy', 9n],
        ['pgmajfault', 'container', 1n],
        ['pgmajfault', 'hierarchy', 2n],
      ].map((row) => (v === 'v1' ? row : [row[0], row[1], row[0] === 'pgfault' ? 9n : 2n])),
    )
    t.deepEqual(valuesOf('container_pressure_io_stalled_seconds_total', reading), [[3n]])
    t.deepEqual(valuesOf('container_blkio_device_usage_total', reading), [
      ['/dev/sda', '8', '0', 'Read', 10n],
      ['/dev/sda', '8', '0', 'Write', 20n],
    ])
    t.deepEqual(valuesOf('container_network_transmit_packets_dropped_total', reading), [['eth0', 8n]])
    t.deepEqual(
      valuesOf('container_pressure_io_stalled_seconds_total', {
        ...reading,
        usage: { ...reading.usage, pressure: {} },
      }),
      [],
    )
    t.deepEqual(
      valuesOf('container_spec_cpu_quota', { ...reading, inForce: { ...reading.inForce, cpu: {} } }),
      [],
    )
  }
})
