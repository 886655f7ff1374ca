/** Limits of running containers changed through the endpoint, beside what the kernel then enforces. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LinuxContainerResources } from '../../cri/types.ts'
import { hasCode } from '../../src/base/index.ts'
import { readCgroupLayout, v1Hierarchy } from '../../src/oci/index.ts'
import { type CriNode, call, criNodeTests } from '../support/cri-node.ts'

const nodeTest = criNodeTests()
const layout = readCgroupLayout()
const mib = 1n << 20n

function update(node: CriNode, containerId: string, part: Partial<LinuxContainerResources>) {
  const linux = LinuxContainerResources.fromPartial(part)
  return node.runtime.updateContainerResources(
    { containerId, linux, windows: undefined, annotations: {} },
    call,
  )
}

/** What a file of its cgroup says, by its name on v1 or on v2. */
async function inForce(cgroup: string, controller: string, v1: string, v2: string): Promise<string> {
  const hierarchy = v1Hierarchy(layout, controller)
  const directory = join((hierarchy ?? layout.v2)?.mountPoint ?? '', cgroup)
  return (await readFile(join(directory, hierarchy ? v1 : v2), 'utf8')).trim()
}

nodeTest(
  'all that is named, and it stays: also when the server is killed and comes back',
  async (t, node) => {
    const podId = await node.pod()
    const resources = { cpuShares: 512n, memoryLimitInBytes: 64n * mib, cpuPeriod: 100000n, cpuQuota: 50000n }
    const id = await node.run(podId, 'main', { command: ['sleep', '1000'], linux: { resources } })
    const cgroup = `/${node.instance}/${podId}/${id}`
    await update(node, id, {
      cpuQuota: 20000n,
      memoryLimitInBytes: 96n * mib,
      cpusetCpus: '0',
      oomScoreAdj: 500n,
    })
    const quota = await inForce(cgroup, 'cpu', 'cpu.cfs_quota_us', 'cpu.max')
    t.regex(quota, /^20000\b/)
    t.is(await inForce(cgroup, 'memory', 'memory.limit_in_bytes', 'memory.max'), String(96n * mib))
    t.is(await inForce(cgroup, 'cpuset', 'cpuset.cpus', 'cpuset.cpus'), '0')
    t.is((await readFile(`/proc/${await node.pid(id)}/oom_score_adj`, 'utf8')).trim(), '500')
    await node.crash()
    await node.start()
    t.like((await node.status(id)).resources?.linux, {
      ...resources,
      ...{ cpuQuota: 20000n, memoryLimitInBytes: 96n * mib, cpusetCpus: '0', oomScoreAdj: 500n },
    })
  },
)

nodeTest('or none: what the kernel refuses changes nothing, in the kernel or on record', async (t, node) => {
  const podId = await node.pod()
  const resources = { cpuShares: 512n, memoryLimitInBytes: 64n * mib }
  const id = await node.run(podId, 'main', { command: ['sleep', '1000'], linux: { resources } })
  const cgroup = `/${node.instance}/${podId}/${id}`
  const before = await node.status(id)
  const error = await t.throwsAsync(
    update(node, id, {
      cpuShares: 100n,
      memoryLimitInBytes: 80n * mib,
      oomScoreAdj: 700n,
      cpusetCpus: '4000',
    }),
  )
  t.false(hasCode(error, 'INTERNAL'), error?.message)
  t.notRegex(error?.message ?? '', /\n/)
  t.is(await inForce(cgroup, 'memory', 'memory.limit_in_bytes', 'memory.max'), String(64n * mib))
  if (v1Hierarchy(layout, 'cpu')) t.is(await inForce(cgroup, 'cpu', 'cpu.shares', ''), '512')
  t.not((await readFile(`/proc/${await node.pid(id)}/oom_score_adj`, 'utf8')).trim(), '700')
  t.deepEqual((await node.status(id)).resources, before.resources)
})

nodeTest('a created container starts with what it was updated to', async (t, node) => {
  const podId = await node.pod()
  const id = await node.create(podId, 'main', { command: ['sleep', '1000'] })
  await update(node, id, { memoryLimitInBytes: 32n * mib })
  await node.runtime.startContainer({ containerId: id }, call)
  const cgroup = `/${node.instance}/${podId}/${id}`
  t.is(await inForce(cgroup, 'memory', 'memory.limit_in_bytes', 'memory.max'), String(32n * mib))
})
