/** What pods and containers use, as the endpoint tells it, beside what the kernel counts. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readCgroupLayout, v1Hierarchy } from '../../src/oci/index.ts'
import { call, criNodeTests } from '../support/cri-node.ts'
import { eventually } from '../support/eventually.ts'

const nodeTest = criNodeTests()
const layout = readCgroupLayout()

async function counted(controller: string, path: string, file: string): Promise<bigint> {
  const hierarchy = v1Hierarchy(layout, controller) ?? layout.v2
  return BigInt((await readFile(join(hierarchy?.mountPoint ?? '', path, file), 'utf8')).trim())
}

nodeTest(
  'a container: processor, memory, writable layer, and pressure where the kernel tells it',
  async (t, node) => {
    const podId = await node.pod()
    const id = await node.run(podId, 'main', {
      command: ['sh', '-c', 'head -c 100000 /dev/zero > /file; while :; do :; done'],
      linux: { resources: { memoryLimitInBytes: 64n << 20n, cpuQuota: 20000n, cpuPeriod: 100000n } },
    })
    const statsOf = async () => {
      const { stats } = await node.runtime.containerStats({ containerId: id }, call)
      if (!stats?.cpu || !stats.memory) throw new Error('no stats')
      return { ...stats, cpu: stats.cpu, memory: stats.memory }
    }
    const first = await statsOf()
    t.is(first.attributes?.metadata?.name, 'main')
    const later = await eventually('it used processor time in a window of its own', async () => {
      const stats = await statsOf()
      return stats.cpu.timestamp - first.cpu.timestamp > 600_000_000n && stats
    })
    const used = (later.cpu.usageCoreNanoSeconds?.value ?? 0n) - (first.cpu.usageCoreNanoSeconds?.value ?? 0n)
    t.true(used > 0n)
    const cores = Number(later.cpu.usageNanoCores?.value) / 1e9
    t.true(cores > 0.02 && cores < 0.4, `${cores} cores with a quota of a fifth`)
    const { memory } = later
    t.true((memory.usageBytes?.value ?? 0n) > 0n)
    t.is((memory.availableBytes?.value ?? 0n) + (memory.workingSetBytes?.value ?? 0n), 64n << 20n)
    t.true((memory.rssBytes?.value ?? 0n) <= (memory.usageBytes?.value ?? 0n))
    t.true((memory.pageFaults?.value ?? 0n) > 0n)
    t.true((later.writableLayer?.usedBytes?.value ?? 0n) >= 100_000n)
    const pressure = await readFile(join(layout.v2?.mountPoint ?? '/absent', 'cpu.pressure')).catch(
      () => undefined,
    )
    t.is(later.cpu.psi !== undefined, pressure !== undefined)
    t.is(later.io?.psi !== undefined, pressure !== undefined)
  },
)

nodeTest(
  'a pod: network, processes, its containers; lists by filter; a stopped one is told of no more',
  async (t, node) => {
    const podId = await node.pod('one')
    await node.pod('two')
    const id = await node.run(podId, 'main', { command: ['sh', '-c', 'sleep 1000 & exec sleep 1000'] })
    await node.exec(id, 'ping', '-c', '3', '-i', '0.1', '-W', '1', '10.97.0.1').catch(() => undefined)
    const { stats } = await node.runtime.podSandboxStats({ podSandboxId: podId }, call)
    const { linux, attributes } = stats ?? {}
    t.is(attributes?.metadata?.name, 'one')
    t.is(linux?.network?.defaultInterface?.name, 'eth0')
    t.true((linux?.network?.defaultInterface?.txBytes?.value ?? 0n) > 0n)
    t.deepEqual(linux?.network?.interfaces, [])
    t.is(linux?.process?.processCount?.value, 2n)
    t.deepEqual(
      linux?.containers.map((one) => one.attributes?.id),
      [id],
    )
    t.true((linux?.memory?.usageBytes?.value ?? 0n) > 0n)
    if (v1Hierarchy(layout, 'cpuacct')) {
      const now = await counted('cpuacct', `${node.instance}/${podId}`, 'cpuacct.usage')
      t.true(now >= (linux?.cpu?.usageCoreNanoSeconds?.value ?? 0n))
    }

    const listed = await node.runtime.listPodSandboxStats({ filter: undefined }, call)
    t.is(listed.stats.length, 2)
    const one = { filter: { id: podId.slice(0, 20), labelSelector: {} } }
    t.is((await node.runtime.listPodSandboxStats(one, call)).stats.length, 1)
    const streamed: string[] = []
    for await (const { podSandboxStats } of node.runtime.streamPodSandboxStats({ filter: undefined }, call))
      streamed.push(...podSandboxStats.map((each) => each.attributes?.id ?? ''))
    t.deepEqual(streamed.toSorted(), listed.stats.map((each) => each.attributes?.id ?? '').toSorted())

    await node.runtime.stopPodSandbox({ podSandboxId: podId }, call)
    t.is((await node.runtime.listPodSandboxStats({ filter: undefined }, call)).stats.length, 1)
    const after = await node.runtime.podSandboxStats({ podSandboxId: podId }, call)
    t.deepEqual([after.stats?.attributes?.id, after.stats?.linux], [podId, undefined])
    await t.throwsAsync(node.runtime.podSandboxStats({ podSandboxId: 'nope' }, call), {
      message: /no pod sandbox nope/,
    })
  },
)

const limits = {
  ...{ cpuPeriod: 100000n, cpuQuota: 20000n, cpuShares: 512n },
  ...{ memoryLimitInBytes: 64n << 20n, memorySwapLimitInBytes: 64n << 20n },
  // A kubelet limits every size of page; only then is there a controller to count them.
  hugepageLimits: existsSync('/sys/kernel/mm/hugepages/hugepages-2048kB')
    ? [{ pageSize: '2MB', limit: 0n }]
    : [],
}

nodeTest('metrics of a container are what its cgroup files say', async (t, node) => {
  const podId = await node.pod('one')
  const command = ['sh', '-c', 'sleep 1000 & exec sleep 1000']
  const id = await node.run(podId, 'main', { command, linux: { resources: limits } })
  const { podMetrics } = await node.runtime.listPodSandboxMetrics({}, call)
  const [container] = podMetrics[0]?.containerMetrics ?? []
  t.is(container?.containerId, id)
  const metric = (name: string) => container?.metrics.find((one) => one.name === name)
  const told = (name: string) => metric(`container_${name}`)?.value?.value
  const cgroup = `/${node.instance}/${podId}/${id}`
  const subject = ['main', cgroup, 'docker.io/library/busybox:test', id, 'default', 'one']
  t.deepEqual(metric('container_processes')?.labelValues, subject)
  t.is(told('processes'), 2n)
  t.is(told('spec_memory_limit_bytes'), 64n << 20n)
  t.is(told('spec_cpu_quota'), 20000n)
  t.is(told('spec_cpu_shares'), 512n)
  const files = await node.exec(id, 'sh', '-c', 'ulimit -n')
  const openFiles = container?.metrics.find(({ labelValues }) => labelValues.at(-1) === 'max_open_files')
  t.is(String(openFiles?.value?.value), files.stdout.trim())
  if (!v1Hierarchy(layout, 'memory')) return
  t.is(told('spec_memory_limit_bytes'), await counted('memory', cgroup, 'memory.limit_in_bytes'))
  t.is(told('spec_cpu_period'), await counted('cpu', cgroup, 'cpu.cfs_period_us'))
  t.is(told('threads'), await counted('pids', cgroup, 'pids.current'))
  const most = await counted('memory', cgroup, 'memory.max_usage_in_bytes')
  t.true((told('memory_max_usage_bytes') ?? most + 1n) <= most)
})

nodeTest(
  'metrics: each has the labels that its descriptor has, and each descriptor a value',
  async (t, node) => {
    const podId = await node.pod('one')
    await node.run(podId, 'main', { command: ['sleep', '1000'], linux: { resources: limits } })
    const { descriptors } = await node.runtime.listMetricDescriptors({}, call)
    const { podMetrics } = await node.runtime.listPodSandboxMetrics({}, call)
    t.deepEqual(
      podMetrics.map(({ podSandboxId }) => podSandboxId),
      [podId],
    )
    const metrics = podMetrics.flatMap((pod) => [
      ...pod.metrics,
      ...pod.containerMetrics.flatMap((container) => container.metrics),
    ])
    for (const { name, labelValues, timestamp } of metrics) {
      const descriptor = descriptors.find((one) => one.name === name)
      t.is(labelValues.length, descriptor?.labelKeys.length ?? -1, name)
      t.is(timestamp, 0n, 'gathered live')
    }
    const known = new Set(metrics.map(({ name }) => name))
    const silent = descriptors
      .map(({ name }) => name)
      .filter((name) => !known.has(name) && !mayBeSilent(name))
    t.deepEqual(silent, [])
    const streamed: string[] = []
    for await (const { podSandboxMetrics } of node.runtime.streamPodSandboxMetrics({}, call))
      streamed.push(...podSandboxMetrics.map((one) => one.podSandboxId))
    t.deepEqual(streamed, [podId])
  },
)

/**
 * Which device is asked, and how often, is up to the page cache of this host; not every kernel counts pressure or has
 * the controller of huge pages.
 */
function mayBeSilent(name: string): boolean {
  if (name.startsWith('container_pressure'))
    return !existsSync(join(layout.v2?.mountPoint ?? '/absent', 'io.pressure'))
  if (name.startsWith('container_hugetlb'))
    return !v1Hierarchy(layout, 'hugetlb') && !layout.v2?.controllers.includes('hugetlb')
  return /^container_(blkio|fs_(reads|writes))/.test(name)
}
