/**
 * Controllers of cgroup v2 that few test kernels have, told as JSON on standard output. Run by
 * cgroup-v2-controllers.test.ts on a machine with two CPUs and nothing but v2.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Container, type LinuxResources, readCgroupLayout, type Spec } from '../../src/oci/index.ts'
import { execShell } from '../support/contained.ts'
import { containerStage, plainSpec } from '../support/container.ts'

await using stage = await containerStage('controllers')
const mountPoint = readCgroupLayout().v2?.mountPoint ?? ''

async function started(id: string, resources: LinuxResources, change: (spec: Spec) => void = () => {}) {
  const spec = plainSpec(['sleep', '1000'], (one) => {
    Object.assign(one.linux.resources ?? {}, resources)
    change(one)
  })
  const rootfs = { kind: 'directory', path: stage.rootfs } as const
  const life = { kind: 'monitored', logPath: stage.logPath(id) } as const
  const container = await stage.runtime.create({ id, spec, bundle: '/', rootfs, life })
  await container.start()
  return container
}

async function groupOf(container: Container): Promise<string> {
  const { pid } = await container.state()
  const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? ''
  return join(mountPoint, path)
}

async function cpuset() {
  const container = await started('cpuset', { cpu: { cpus: '1', mems: '0' } })
  const allowed = await execShell(container, 'nproc; grep Cpus_allowed_list /proc/self/status')
  await container.update({ cpu: { cpus: '0-1' } })
  const updated = await execShell(container, 'nproc')
  await container.delete({ force: true })
  return { allowed, updated }
}

/** Two huge pages are there to be had, and one of them may be. */
async function hugetlb() {
  writeFileSync('/proc/sys/vm/nr_hugepages', '4')
  const container = await started(
    'hugetlb',
    { hugepageLimits: [{ pageSize: '2MB', limit: 2 << 20 }] },
    ({ mounts = [] }) => {
      mounts.push({ destination: '/huge', type: 'hugetlbfs', source: 'huge', options: ['pagesize=2M'] })
    },
  )
  const first = await execShell(container, 'fallocate -l 2097152 /huge/one')
  const second = await execShell(container, 'fallocate -l 2097152 /huge/two')
  const events = readFileSync(join(await groupOf(container), 'hugetlb.2MB.events'), 'utf8').trim()
  await container.delete({ force: true })
  return { first, second, events }
}

/** Three loops on one CPU wait for each other, and the statistics say so. */
async function pressure() {
  const container = await started('pressure', { cpu: { cpus: '0' } })
  await execShell(container, 'for i in 1 2 3; do timeout 2 sh -c "while :; do :; done" & done; wait')
  const { cpu, memory } = await container.stats()
  await container.delete({ force: true })
  return { waitedUs: cpu?.psi?.some.total, memory: memory?.psi !== undefined }
}

const checks = { cpuset, hugetlb, pressure }
const told: Record<string, unknown> = { controllers: readCgroupLayout().v2?.controllers }
for (const [name, check] of Object.entries(checks))
  told[name] = await check().catch((error: Error) => ({ failed: error.stack }))
console.log(JSON.stringify(told, (_, value) => (typeof value === 'bigint' ? Number(value) : value)))
