import { emptyStats } from '../../src/oci/cgroup/stats.ts'
import type { PressureStats } from '../../src/oci/index.ts'
import type { ContainerReading, PodReading, Reading } from '../../src/pod/metrics/reading.ts'

const s = 1_000_000_000n
const line = { avg10: 0, avg60: 0, avg300: 0 }
const psi: PressureStats = { some: { ...line, total: 5_000_000n }, full: { ...line, total: 3_900_000n } }
const device = { major: 8n, minor: 0n }

/** As read from a cgroup that has something of everything. */
function reading(version: 'v1' | 'v2'): Reading {
  const stats = emptyStats()
  stats.cpu.usage = { ...stats.cpu.usage, total: 7n * s + 999n, user: 4n * s, kernel: 3n * s }
  stats.memory.raw =
    version === 'v1'
      ? {
          ...{ pgfault: 5n, total_pgfault: 9n, pgmajfault: 1n, total_pgmajfault: 2n },
          ...{ cache: 1n, total_cache: 4096n, total_mapped_file: 12n },
        }
      : { pgfault: 9n, pgmajfault: 2n, file: 4096n, file_mapped: 12n, kernel_stack: 100n, slab: 200n }
  if (version === 'v1') stats.memory.kernel = { ...stats.memory.kernel, usage: 300n }
  stats.blkio.ioServiceBytesRecursive = [
    { ...device, op: 'Read', value: 10n },
    { ...device, op: 'Write', value: 20n },
    { ...device, op: 'Total', value: 30n },
  ]
  stats.blkio.ioServicedRecursive = stats.blkio.ioServiceBytesRecursive
  stats.hugetlb = { '2MB': { usage: 0n, max: 1n, failcnt: 0n } }
  return {
    atNs: 20n * s,
    beganAtNs: 10n * s,
    stats,
    usage: {
      cpuNs: 7n * s,
      memory: { bytes: 9n, workingSetBytes: 8n, rssBytes: 7n, minorPageFaults: 1n, majorPageFaults: 1n },
      pressure: { cpu: psi, memory: psi, io: psi },
    },
    inForce: {
      cpu: { shares: 1024n, periodUs: 100_000n, quotaUs: 20_000n },
      memory: { hits: 0n, oomKills: 0n },
    },
    processes: { processes: 2n, files: 9n, sockets: 1n, softLimits: new Map([['max_open_files', 1024n]]) },
    deviceNames: new Map([['8:0', '/dev/sda']]),
  }
}

export function podReading(version: 'v1' | 'v2'): PodReading {
  const receive = { bytes: 1n, packets: 2n, errors: 3n, dropped: 4n }
  const transmit = { bytes: 5n, packets: 6n, errors: 7n, dropped: 8n }
  return { ...reading(version), links: [{ name: 'eth0', isLoopback: false, receive, transmit }] }
}

export function containerReading(version: 'v1' | 'v2'): ContainerReading {
  const disk = { device: '/dev/sda', usedBytes: 1n, totalBytes: 2n, inodes: 3n, inodesFree: 4n }
  return { ...reading(version), disk }
}
