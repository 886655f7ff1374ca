import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'ava'
import type { CgroupLayout } from '../../../src/oci/cgroup/layout.ts'
import { readStats } from '../../../src/oci/cgroup/read-stats.ts'
import { parseList, parsePressure } from '../../../src/oci/cgroup/stat-file.ts'
import { encodeEvent } from '../../../src/oci/cgroup/stats-json.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

async function statsOf(files: Record<string, string>, layout: (root: string) => CgroupLayout) {
  await using directory = await temporaryDirectory()
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory.path, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  const stats = await readStats(layout(directory.path), '/x')
  return JSON.parse(encodeEvent('stats', 'x', stats)).data
}

test('v2 in the words of runc: nanoseconds, swap with memory, reads and writes apart, pressure', async (t) => {
  const data = await statsOf(
    {
      'x/cpu.stat':
        'usage_usec 7\nuser_usec 5\nsystem_usec 2\nnr_periods 3\nnr_throttled 1\nthrottled_usec 9\n',
      'x/cpu.pressure':
        'some avg10=0.50 avg60=0.10 avg300=0.00 total=77\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n',
      'x/memory.stat': 'anon 1\nfile 4096\n',
      'x/memory.current': '8192\n',
      'x/memory.max': 'max\n',
      'x/memory.peak': '9000\n',
      'x/memory.swap.current': '100\n',
      'x/memory.swap.max': 'max\n',
      'x/io.stat': '8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n',
      'x/pids.current': '2\n',
      'x/pids.max': 'max\n',
    },
    (mountPoint) => ({ mode: 'v2', v1: [], v2: { controllers: [], mountPoint, own: '/' } }),
  )
  t.deepEqual(data.cpu, {
    usage: { total: 7000, kernel: 2000, user: 5000 },
    throttling: { periods: 3, throttledPeriods: 1, throttledTime: 9000 },
    psi: {
      some: { avg10: 0.5, avg60: 0.1, avg300: 0, total: 77 },
      full: { avg10: 0, avg60: 0, avg300: 0, total: 3 },
    },
  })
  t.deepEqual(data.memory, {
    cache: 4096,
    usage: { limit: 2 ** 64, usage: 8192, max: 9000, failcnt: 0 },
    swap: { limit: 2 ** 64, usage: 8292, failcnt: 0 },
    kernel: { limit: 0, failcnt: 0 },
    kernelTCP: { limit: 0, failcnt: 0 },
    raw: { anon: 1, file: 4096 },
  })
  t.deepEqual(data.blkio, {
    ioServiceBytesRecursive: [
      { major: 8, minor: 16, op: 'Read', value: 1 },
      { major: 8, minor: 16, op: 'Write', value: 2 },
    ],
    ioServicedRecursive: [
      { major: 8, minor: 16, op: 'Read', value: 3 },
      { major: 8, minor: 16, op: 'Write', value: 4 },
    ],
  })
  t.deepEqual(data.pids, { current: 2 })
})

test('v1: ticks become nanoseconds, totals of all devices are no device', async (t) => {
  const data = await statsOf(
    {
      'cpuacct/x/cpuacct.usage': '123\n',
      'cpuacct/x/cpuacct.stat': 'user 3\nsystem 4\n',
      'cpuacct/x/cpuacct.usage_percpu': '100 23 \n',
      'cpuacct/x/cpuacct.usage_all': 'cpu user system\n0 60 40\n1 20 3\n',
      'blkio/x/blkio.throttle.io_serviced_recursive': '8:0 Read 5\n8:0 Total 5\nTotal 5\n',
      'memory/x/memory.limit_in_bytes': '9223372036854771712\n',
    },
    (root) => ({
      mode: 'v1',
      v1: ['cpuacct', 'blkio', 'memory'].map((one) => ({
        controllers: [one],
        mountPoint: join(root, one),
        own: '/',
      })),
    }),
  )
  t.deepEqual(data.cpu.usage, {
    total: 123,
    percpu: [100, 23],
    percpu_kernel: [40, 3],
    percpu_user: [60, 20],
    kernel: 40_000_000,
    user: 30_000_000,
  })
  t.deepEqual(data.blkio.ioServicedRecursive, [
    { major: 8, op: 'Read', value: 5 },
    { major: 8, op: 'Total', value: 5 },
  ])
})

test('numbers above 2^53 keep their digits', async (t) => {
  await using directory = await temporaryDirectory()
  mkdirSync(join(directory.path, 'x'))
  writeFileSync(join(directory.path, 'x/memory.limit_in_bytes'), '9223372036854771712\n')
  const memory = { controllers: ['memory'], mountPoint: directory.path, own: '/' }
  t.regex(
    encodeEvent('stats', 'x', await readStats({ mode: 'v1', v1: [memory] }, '/x')),
    /"usage":\{"limit":9223372036854771712,"failcnt":0\}/,
  )
})

test('what is not counted is absent, lists of CPUs are spelled out', (t) => {
  t.is(parsePressure(''), undefined)
  t.deepEqual(parseList('0-2,7\n'), [0, 1, 2, 7])
  t.deepEqual(parseList('\n'), [])
})
