import test from 'ava'
import fc from 'fast-check'
import { cpuWeight } from '../../../src/oci/cgroup/convert.ts'
import { cpuShares, readInForce } from '../../../src/oci/cgroup/in-force.ts'
import { hybridLayout, v2Layout, withCgroupFiles } from '../../support/cgroup-files.ts'

test('both versions tell the same limits', async (t) => {
  const v1 = {
    'cpu/x/cpu.shares': '1024\n',
    'cpu/x/cpu.cfs_period_us': '100000\n',
    'cpu/x/cpu.cfs_quota_us': '20000\n',
    'memory/x/memory.limit_in_bytes': '4096\n',
    'memory/x/memory.soft_limit_in_bytes': '2048\n',
    'memory/x/memory.memsw.limit_in_bytes': '5096\n',
    'memory/x/memory.failcnt': '3\n',
    'memory/x/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n',
  }
  const v2 = {
    'x/cpu.weight': '100\n',
    'x/cpu.max': '20000 100000\n',
    'x/memory.max': '4096\n',
    'x/memory.low': '2048\n',
    'x/memory.swap.max': '1000\n',
    'x/memory.events': 'low 0\nhigh 0\nmax 3\noom 2\noom_kill 2\n',
  }
  const expected = {
    cpu: { shares: 1024n, periodUs: 100000n, quotaUs: 20000n },
    memory: {
      limitBytes: 4096n,
      reservationBytes: 2048n,
      swapLimitBytes: 5096n,
      hits: 3n,
      oomKills: 2n,
    },
  }
  t.deepEqual(
    await withCgroupFiles(v1, (root) => readInForce(hybridLayout(root, 'cpu', 'memory'), '/x')),
    expected,
  )
  t.deepEqual(await withCgroupFiles(v2, (root) => readInForce(v2Layout(root), '/x')), expected)
})

test('what is not limited is absent', async (t) => {
  const v1 = {
    'cpu/x/cpu.shares': '1024\n',
    'cpu/x/cpu.cfs_period_us': '100000\n',
    'cpu/x/cpu.cfs_quota_us': '-1\n',
    'memory/x/memory.limit_in_bytes': '9223372036854771712\n',
    'memory/x/memory.soft_limit_in_bytes': '9223372036854771712\n',
  }
  const v2 = {
    'x/cpu.weight': '100\n',
    'x/cpu.max': 'max 100000\n',
    'x/memory.max': 'max\n',
    'x/memory.low': '0\n',
    'x/memory.swap.max': 'max\n',
  }
  const expected = { cpu: { shares: 1024n, periodUs: 100000n }, memory: { hits: 0n, oomKills: 0n } }
  t.deepEqual(
    await withCgroupFiles(v1, (root) => readInForce(hybridLayout(root, 'cpu', 'memory'), '/x')),
    expected,
  )
  t.deepEqual(await withCgroupFiles(v2, (root) => readInForce(v2Layout(root), '/x')), expected)
})

test('a weight leads back to shares that would give it', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 262144 }), (shares) => {
      const weight = cpuWeight(shares) ?? 0
      t.true(Math.abs((cpuWeight(Number(cpuShares(BigInt(weight)))) ?? 0) - weight) <= 1)
    }),
  )
  t.is(cpuShares(100n), 1024n)
})
