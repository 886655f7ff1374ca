import test from 'ava'
import fc from 'fast-check'
import { LinuxContainerResources } from '../../cri/types.ts'
import { hasCode, KeelsonError } from '../../src/base/index.ts'
import { eventually } from '../support/eventually.ts'
import { Bench, call } from '../support/pod-bench.ts'

const limits = (part: Partial<LinuxContainerResources>) => LinuxContainerResources.fromPartial(part)
const update = (bench: Bench, containerId: string, part: Partial<LinuxContainerResources>) =>
  bench.runtime.updateContainerResources(
    { containerId, linux: limits(part), windows: undefined, annotations: {} },
    call,
  )

test('what is updated is told by the status, also after a restart; what is not named stays', async (t) => {
  await using bench = await Bench.open()
  const { id, live } = await bench.running({
    linux: { resources: { cpuShares: 512n, memoryLimitInBytes: 1000n, unified: { 'pids.max': '5' } } },
  })
  await update(bench, id, {
    cpuQuota: -1n,
    cpusetCpus: '0',
    hugepageLimits: [{ pageSize: '2MB', limit: 0n }],
  })
  t.deepEqual(live.updates, [
    { cpu: { quota: -1, cpus: '0' }, hugepageLimits: [{ pageSize: '2MB', limit: 0 }] },
  ])
  await bench.restart()
  t.deepEqual(
    (await bench.status(id)).resources?.linux,
    limits({
      ...{ cpuShares: 512n, memoryLimitInBytes: 1000n, unified: { 'pids.max': '5' } },
      ...{ cpuQuota: -1n, cpusetCpus: '0', hugepageLimits: [{ pageSize: '2MB', limit: 0n }] },
    }),
  )
})

test('what the kernel refuses is not told, and an exited container has nothing to change', async (t) => {
  await using bench = await Bench.open()
  const { id, live } = await bench.running({ linux: { resources: { cpuShares: 512n } } })
  live.updateFailure = new KeelsonError('FAILED_PRECONDITION', 'below usage')
  await t.throwsAsync(update(bench, id, { cpuShares: 3n }), { message: 'below usage' })
  t.is((await bench.status(id)).resources?.linux?.cpuShares, 512n)
  live.end(0)
  await eventually('it has exited', async () => (await bench.status(id)).finishedAt > 0n)
  const error = await t.throwsAsync(update(bench, id, { cpuShares: 3n }))
  t.true(hasCode(error, 'FAILED_PRECONDITION'))
  t.true(hasCode(await t.throwsAsync(update(bench, 'nope', {})), 'NOT_FOUND'))
})

test('a created container starts with what it was updated to, however close the two requests are', async (t) => {
  await using bench = await Bench.open()
  const id = await bench.container(await bench.pod())
  const both = [update(bench, id, { cpuShares: 7n }), bench.runtime.startContainer({ containerId: id }, call)]
  await Promise.all([...both, update(bench, id, { cpuQuota: 5000n })])
  t.is(bench.host.runtime.requests[0]?.spec.linux?.resources?.cpu?.shares, 7)
  t.deepEqual(bench.host.runtime.container(id).updates, [{ cpu: { quota: 5000 } }])
  t.like((await bench.status(id)).resources?.linux, { cpuShares: 7n, cpuQuota: 5000n })
})

test('a value that can never be a limit is INVALID_ARGUMENT by name, before anything changes', async (t) => {
  await using bench = await Bench.open()
  const { id, live } = await bench.running()
  const wrong: Partial<LinuxContainerResources>[] = [
    { cpuShares: -1n },
    { cpuPeriod: -1n },
    { cpuQuota: -2n },
    { memoryLimitInBytes: -5n },
    { memorySwapLimitInBytes: -(2n ** 63n) },
    { oomScoreAdj: 1001n },
    { cpusetCpus: '0;1' },
    { unified: { '../x': '1' } },
    { memoryLimitInBytes: 10n, memorySwapLimitInBytes: 5n },
  ]
  for (const part of wrong) {
    const error = await t.throwsAsync(update(bench, id, part))
    t.true(hasCode(error, 'INVALID_ARGUMENT'), error?.message)
  }
  t.deepEqual(live.updates, [])
})

test('any run of updates leaves what each named last', async (t) => {
  await using bench = await Bench.open()
  const { id } = await bench.running()
  const part = fc.record(
    { cpuShares: fc.bigInt(1n, 9n), cpuQuota: fc.bigInt(1n, 9n), cpusetCpus: fc.constantFrom('0', '1') },
    { requiredKeys: [] },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 5 }), async (parts) => {
      const before = (await bench.status(id)).resources?.linux ?? limits({})
      await Promise.all(parts.map((one) => update(bench, id, one)))
      const after = (await bench.status(id)).resources?.linux
      t.deepEqual(parts.length === 0 ? before : after, Object.assign({ ...before }, ...parts))
    }),
    { numRuns: 30 },
  )
})
