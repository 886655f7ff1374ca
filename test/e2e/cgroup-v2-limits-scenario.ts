/**
 * What limits of cgroup v2 do to a container, told as JSON on standard output. Run by cgroup-v2-limits.test.ts on a
 * machine that has nothing but v2, with a disk at /dev/ubda; every figure is of the effect, not of the file written.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Container,
  type LinuxResources,
  type Rootfs,
  readCgroupLayout,
  type Spec,
} from '../../src/oci/index.ts'
import { execShell } from '../support/contained.ts'
import { containerStage, plainSpec } from '../support/container.ts'
import { eventually } from '../support/eventually.ts'

await using stage = await containerStage('limits')
const mountPoint = readCgroupLayout().v2?.mountPoint ?? ''
const patient = 20_000

interface Wish {
  resources?: LinuxResources
  change?: (spec: Spec) => void
  rootfs?: Rootfs
}

async function started(
  id: string,
  script: string,
  { resources, change, rootfs }: Wish = {},
): Promise<Container> {
  const spec = plainSpec(['sh', '-c', script], (one) => {
    Object.assign(one.linux.resources ?? {}, resources)
    change?.(one)
  })
  const directory = { kind: 'directory', path: stage.rootfs } as const
  const life = { kind: 'monitored', logPath: stage.logPath(id) } as const
  const container = await stage.runtime.create({ id, spec, bundle: '/', rootfs: rootfs ?? directory, life })
  await container.start()
  return container
}

const logOf = (id: string) =>
  readFileSync(stage.logPath(id), 'utf8')
    .split('\n')
    .map((line) => line.split(' ').slice(3).join(' '))
    .join('\n')
    .trim()

async function groupOf(container: Container): Promise<string> {
  const { pid } = await container.state()
  const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? ''
  return join(mountPoint, path)
}

function figure(group: string, file: string, key: string): number {
  return Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(readFileSync(join(group, file), 'utf8'))?.[1])
}

/** The part of a CPU that the container got during half a second, and how often it was held back. */
async function cpuShare(container: Container) {
  const group = await groupOf(container)
  const read = () => figure(group, 'cpu.stat', 'usage_usec')
  const before = read()
  const startMs = performance.now()
  await sleep(600)
  const share = (read() - before) / 1000 / (performance.now() - startMs)
  return { share, throttled: figure(group, 'cpu.stat', 'nr_throttled') }
}

async function memory() {
  const limits = { memory: { limit: 32 << 20, swap: 32 << 20 } }
  const container = await started('memory', 'tail /dev/zero', { resources: limits })
  const { exitCode, oomKilled } = await container.wait()
  await container.delete()
  const patientOne = await started('memory-part', 'sleep 100', { resources: limits })
  const part = await execShell(patientOne, 'tail /dev/zero')
  const kills = figure(await groupOf(patientOne), 'memory.events', 'oom_kill')
  const { status } = await patientOne.state()
  await patientOne.delete({ force: true })
  return { exitCode, oomKilled, part: part.code, kills, status }
}

async function cpu() {
  const container = await started('cpu', 'while :; do :; done', {
    resources: { cpu: { quota: 20_000, period: 100_000 } },
  })
  const limited = await cpuShare(container)
  await container.update({ cpu: { quota: 60_000, period: 100_000 } })
  const updated = await cpuShare(container)
  await container.delete({ force: true })
  return { limited, updated }
}

async function pids() {
  const container = await started('pids', 'sleep 100', { resources: { pids: { limit: 4 } } })
  const fork = () => execShell(container, 'sleep 1 & sleep 1 & sleep 1 & echo all')
  const limited = await fork()
  const refused = figure(await groupOf(container), 'pids.events', 'max')
  await container.update({ pids: { limit: 40 } })
  await sleep(1100) // those that were made live for a second
  const updated = await fork()
  await container.delete({ force: true })
  return { limited, refused, updated }
}

/** A device that the container may read, at 1 MiB per second. */
async function io() {
  const { rdev } = statSync('/dev/ubda')
  const disk = { type: 'b', major: rdev >> 8, minor: rdev & 0xff } as const
  const rate = { ...disk, rate: 1 << 20 }
  const container = await started('io', 'sleep 100', {
    resources: {
      devices: [{ allow: false }, { ...disk, allow: true, access: 'rw' }],
      blockIO: { throttleReadBpsDevice: [rate] },
    },
    change: ({ linux }) => Object.assign(linux ?? {}, { devices: [{ path: '/dev/disk', ...disk }] }),
  })
  const startMs = performance.now()
  const { code, said } = await execShell(
    container,
    'dd if=/dev/disk of=/dev/null bs=64k count=32 iflag=direct 2>&1',
  )
  const tookMs = performance.now() - startMs
  await container.delete({ force: true })
  return { code, said, tookMs }
}

async function freeze() {
  const container = await started('freeze', 'i=0; while :; do i=$((i+1)); echo $i > /tmp/n; sleep 0.01; done')
  const { pid } = await container.state()
  const count = () => readFileSync(`/proc/${pid}/root/tmp/n`, 'utf8')
  const writes = () => existsSync(`/proc/${pid}/root/tmp/n`) && count() !== ''
  await eventually('it counts', writes, patient)
  await container.pause()
  const first = count()
  await sleep(150)
  const stands = count() === first
  await container.resume()
  const goesOn = await eventually('it goes on', () => !['', first].includes(count()), patient)
  await container.delete({ force: true })
  return { stands, goesOn }
}

/** Without a pid namespace of its own, so that only the cgroup knows who belongs to it. */
async function kill() {
  const noPid = ({ linux }: Spec) =>
    Object.assign(linux ?? {}, { namespaces: linux?.namespaces?.filter(({ type }) => type !== 'pid') })
  const container = await started('kill', 'for i in 1 2 3; do setsid sleep 100 & done; wait', {
    change: noPid,
  })
  const group = await groupOf(container)
  const members = () => readFileSync(join(group, 'cgroup.procs'), 'utf8').trim().split('\n').filter(Boolean)
  await eventually('all are there', () => members().length === 4, patient)
  await container.kill('KILL', { all: true })
  const { exitCode } = await container.wait()
  await eventually('nobody is left', () => members().length === 0, patient)
  await container.delete()
  return { exitCode }
}

/** As systemd or a build in a container does: init moves down and hands controllers on, so its cgroup takes nobody. */
async function subCgroups() {
  const script = `
    mkdir /sys/fs/cgroup/init && echo 1 > /sys/fs/cgroup/init/cgroup.procs &&
    echo '+memory +pids' > /sys/fs/cgroup/cgroup.subtree_control && echo moved; sleep 100`
  const writable = ({ mounts = [] }: Spec) => {
    for (const mount of mounts)
      if (mount.type === 'cgroup') mount.options = mount.options?.filter((option) => option !== 'ro') ?? []
  }
  const container = await started('sub', script, { change: writable })
  await eventually('init has moved', () => logOf('sub') !== '', patient)
  const exec = await execShell(container, 'cat /proc/self/cgroup')
  const all = (await container.pids()).length
  await container.delete({ force: true })
  return { init: logOf('sub'), exec, all }
}

/** More layers than one string of mount options holds, on a kernel that takes them no other way. */
async function layers() {
  const lower = Array.from({ length: 60 }, (_, index) => {
    const path = join(stage.folder, `layer-of-a-rather-long-name-${index}`)
    mkdirSync(path)
    writeFileSync(join(path, `file-${index}`), '')
    return path
  })
  const [upper, work] = [join(stage.folder, 'upper'), join(stage.folder, 'work')]
  mkdirSync(upper)
  mkdirSync(work)
  const overlay = { kind: 'overlay', lower: [...lower, stage.rootfs], upper, work } as const
  const container = await started('layers', 'ls /file-* | wc -l; echo new > /new', { rootfs: overlay })
  await container.wait()
  await container.delete()
  return { seen: logOf('layers'), upper: readdirSync(upper).includes('new') }
}

async function unified() {
  const container = await started('unified', 'sleep 100', {
    resources: { unified: { 'memory.high': '50331648', 'pids.max': '17' } },
  })
  const group = await groupOf(container)
  const read = (file: string) => readFileSync(join(group, file), 'utf8').trim()
  const found = { high: read('memory.high'), pids: read('pids.max') }
  const view = (await execShell(container, 'cat /proc/self/cgroup')).said.trim()
  await container.delete({ force: true })
  return { ...found, view }
}

const checks = { memory, cpu, pids, io, freeze, kill, subCgroups, layers, unified }
const told: Record<string, unknown> = {}
for (const [name, check] of Object.entries(checks))
  told[name] = await check().catch((error: Error) => ({ failed: error.stack }))
console.log(JSON.stringify(told))
