import test from 'ava'
import { processesAt, readUsage } from '../../../src/oci/cgroup/usage.ts'
import { hybridLayout, v2Layout, withCgroupFiles } from '../../support/cgroup-files.ts'

const pressure =
  'some avg10=0.50 avg60=0.10 avg300=0.00 total=77\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n'
const parsed = {
  some: { avg10: 0.5, avg60: 0.1, avg300: 0, total: 77n },
  full: { avg10: 0, avg60: 0, avg300: 0, total: 3n },
}

test('v2: swap apart from memory, the cache that can go is no working set', async (t) => {
  const files = {
    'x/cpu.stat': 'usage_usec 7\nuser_usec 5\n',
    'x/cpu.pressure': pressure,
    'x/io.pressure': pressure,
    'x/memory.current': '8192\n',
    'x/memory.max': '100000\n',
    'x/memory.swap.current': '100\n',
    'x/memory.swap.max': '300\n',
    'x/memory.stat': 'anon 1000\ninactive_file 2192\npgfault 12\npgmajfault 2\n',
    'x/cgroup.procs': '7\n',
    'x/below/cgroup.procs': '5\n',
  }
  await withCgroupFiles(files, async (root) => {
    t.deepEqual(await readUsage(v2Layout(root), '/x'), {
      cpuNs: 7000n,
      memory: {
        bytes: 8192n,
        workingSetBytes: 6000n,
        rssBytes: 1000n,
        minorPageFaults: 10n,
        majorPageFaults: 2n,
        limitBytes: 100000n,
      },
      swap: { bytes: 100n, limitBytes: 300n },
      pressure: { cpu: parsed, io: parsed },
    })
    t.deepEqual(await processesAt(v2Layout(root), '/x'), [5, 7])
    t.is(await readUsage(v2Layout(root), '/y'), undefined)
    t.deepEqual(await processesAt(v2Layout(root), '/y'), [])
  })
})

test('v1 in a hybrid host: limits of memory and swap together, pressure from the v2 tree', async (t) => {
  const files = {
    'cpuacct/x/cpuacct.usage': '5\n',
    'memory/x/memory.usage_in_bytes': '1000\n',
    'memory/x/memory.limit_in_bytes': '4096\n',
    'memory/x/memory.memsw.limit_in_bytes': '5096\n',
    'memory/x/memory.stat':
      'rss 1\ntotal_rss 600\ntotal_swap 50\ntotal_inactive_file 2000\ntotal_pgfault 5\ntotal_pgmajfault 1\n',
    'unified/x/memory.pressure': pressure,
  }
  await withCgroupFiles(files, async (root) => {
    t.deepEqual(await readUsage(hybridLayout(root, 'cpuacct', 'memory'), '/x'), {
      cpuNs: 5n,
      memory: {
        bytes: 1000n,
        workingSetBytes: 0n,
        rssBytes: 600n,
        minorPageFaults: 4n,
        majorPageFaults: 1n,
        limitBytes: 4096n,
      },
      swap: { bytes: 50n, limitBytes: 1000n },
      pressure: { memory: parsed },
    })
  })
})

test('no limit and no count are absent', async (t) => {
  const v1 = {
    'cpuacct/x/cpuacct.usage': '5\n',
    'memory/x/memory.usage_in_bytes': '1000\n',
    'memory/x/memory.limit_in_bytes': '9223372036854771712\n',
  }
  const v2 = { 'x/cpu.stat': 'usage_usec 1\n', 'x/memory.current': '5\n', 'x/memory.max': 'max\n' }
  const seen = [
    await withCgroupFiles(v1, (root) => readUsage(hybridLayout(root, 'cpuacct', 'memory'), '/x')),
    await withCgroupFiles(v2, (root) => readUsage(v2Layout(root), '/x')),
  ]
  for (const usage of seen) {
    t.false('limitBytes' in (usage?.memory ?? {}))
    t.deepEqual([usage?.swap, usage?.pressure], [undefined, {}])
  }
})
