import { MetricType } from '../../../cri/types.ts'
import type { BlkioEntry } from '../../oci/index.ts'
import { type MetricFamily, type Sample, sample } from './family.ts'
import type { ContainerReading, Reading } from './reading.ts'

const { COUNTER: counter, GAUGE: gauge } = MetricType

/** Devices that something was read from or written to. */
export const deviceFamilies: readonly MetricFamily[] = [
  {
    name: 'container_blkio_device_usage_total',
    help: 'Bytes moved between it and block devices.',
    type: counter,
    labels: ['device', 'major', 'minor', 'operation'],
    read: (reading) =>
      reading.stats.blkio.ioServiceBytesRecursive
        .filter(({ op }) => op !== 'Total')
        .flatMap((entry) =>
          sample(entry.value, nameOf(reading, entry), String(entry.major), String(entry.minor), entry.op),
        ),
  },
  byDevice(
    'container_fs_reads_bytes_total',
    'Bytes read from block devices.',
    'ioServiceBytesRecursive',
    'Read',
  ),
  byDevice('container_fs_reads_total', 'Reads from block devices.', 'ioServicedRecursive', 'Read'),
  byDevice(
    'container_fs_writes_bytes_total',
    'Bytes written to block devices.',
    'ioServiceBytesRecursive',
    'Write',
  ),
  byDevice('container_fs_writes_total', 'Writes to block devices.', 'ioServicedRecursive', 'Write'),
]

/** The writable layer; only containers have one. */
export const layerFamilies: readonly MetricFamily<ContainerReading>[] = [
  {
    name: 'container_fs_usage_bytes',
    help: 'What the writable layer takes, in bytes.',
    type: gauge,
    labels: ['device'],
    read: ({ disk }) => sample(disk.usedBytes, disk.device),
  },
  {
    name: 'container_fs_limit_bytes',
    help: 'Size of the file system that the writable layer lies on.',
    type: gauge,
    labels: ['device'],
    read: ({ disk }) => sample(disk.totalBytes, disk.device),
  },
  {
    name: 'container_fs_inodes_total',
    help: 'Inodes of the file system that the writable layer lies on.',
    type: gauge,
    labels: ['device'],
    read: ({ disk }) => sample(disk.inodes, disk.device),
  },
  {
    name: 'container_fs_inodes_free',
    help: 'Free inodes of the file system that the writable layer lies on.',
    type: gauge,
    labels: ['device'],
    read: ({ disk }) => sample(disk.inodesFree, disk.device),
  },
]

function byDevice(
  name: string,
  help: string,
  table: 'ioServiceBytesRecursive' | 'ioServicedRecursive',
  operation: string,
): MetricFamily {
  const read = (reading: Reading): Sample[] =>
    reading.stats.blkio[table]
      .filter(({ op }) => op === operation)
      .flatMap((entry) => sample(entry.value, nameOf(reading, entry)))
  return { name, help, type: counter, labels: ['device'], read }
}

function nameOf({ deviceNames }: Reading, { major, minor }: BlkioEntry): string {
  return deviceNames.get(`${major}:${minor}`) ?? ''
}
