/**
 * `cri-pss-idle` and `cri-pss-100`: the memory of the server as if it were alone. The share of a page (PSS) depends on
 * who else maps it, so the server runs a copy of the node program, which no other Node process maps.
 */
import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { Cleanup, systemClock } from '../../src/base/index.ts'
import { version } from '../../src/cli/version.ts'
import type { BenchImage } from '../frame/bench-image.ts'
import { type BenchRegistry, busyboxName } from '../frame/bench-registry.ts'
import { startContainerd } from '../frame/containerd.ts'
import { benchCgroup } from '../frame/cpu.ts'
import { peerVersion } from '../frame/peers.ts'
import type { Part, Row } from '../frame/row.ts'
import { containerdSide, keelsonSide, type Side } from './side.ts'

const pods = 100
/** A server that has just done something still holds what it needed for it. */
const idleMs = 20_000

interface MemoryOptions {
  directory: string
  registry: BenchRegistry
  image: BenchImage
  withPeers: boolean
}

/** Once per run: bringing a hundred pods up takes containerd half a minute. */
export function memoryRows({ directory, registry, image, withPeers }: MemoryOptions): Row[] {
  const row = (variant: string, of: string, open: (undo: Cleanup) => Promise<Side>): Row => ({
    id: 'cri-pss',
    variant,
    version: of,
    unit: 'MiB',
    every: 100,
    async run() {
      await using undo = new Cleanup()
      return await measure(await open(undo))
    },
  })
  const own = row('keelson', `keelson ${version}`, async (undo) =>
    undo.use(keelsonSide({ directory, registry, name: 'memory', env: await ownNode(directory) })),
  )
  const peer = row('containerd-crun', `containerd + ${peerVersion('crun')}`, async (undo) => {
    const cpuGroup = `${benchCgroup}/containerd-memory`
    const containerd = await undo.use(startContainerd({ cpuGroup }))
    await containerd.importImage(busyboxName, image)
    const side = containerdSide(containerd, 'crun', directory, cpuGroup)
    undo.defer(() => side.pods.downAll())
    return side
  })
  return withPeers ? [own, peer] : [own]
}

async function ownNode(directory: string): Promise<NodeJS.ProcessEnv> {
  const bin = join(directory, 'bin')
  await mkdir(bin, { recursive: true })
  await copyFile(process.execPath, join(bin, 'node'))
  return { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH']}` }
}

async function measure(side: Side): Promise<Part[]> {
  await systemClock.sleep(idleMs)
  const idle = await memoryMiB(side.pid)
  for (let left = pods; left > 0; left -= 10)
    await Promise.all(Array.from({ length: 10 }, () => side.pods.up()))
  await systemClock.sleep(idleMs)
  const full = await memoryMiB(side.pid)
  const besideKiB = await besideServerKiB(side)
  return [
    ...parts('cri-pss-idle', idle),
    ...parts('cri-pss-100', full),
    { id: 'cri-pss-100-beside', unit: 'KiB', value: besideKiB / pods },
  ]
}

function parts(id: string, memory: Memory): Part[] {
  return [
    { id, unit: 'MiB', value: memory.pss },
    { id: `${id}-rss`, unit: 'MiB', value: memory.rss },
    { id: `${id}-private-dirty`, unit: 'MiB', value: memory.privateDirty },
  ]
}

interface Memory {
  pss: number
  rss: number
  privateDirty: number
}

async function memoryMiB(pid: number): Promise<Memory> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 'NaN') / 1024
  return { pss: field('Pss'), rss: field('Rss'), privateDirty: field('Private_Dirty') }
}

/** Monitors and holders, or shims and pause processes: everything in the side's groups that is no payload. */
async function besideServerKiB({ pid: server, cpuGroups }: Side): Promise<number> {
  const beside = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== server)
  const sizes = beside.map(async (name) => {
    try {
      const groups = (await readFile(`/proc/${name}/cgroup`, 'utf8'))
        .split('\n')
        .map((line) => line.split(':')[2])
      const isOfSide = groups.some((path) => cpuGroups.some((group) => `${path}/`.startsWith(`${group}/`)))
      const isPayload = (await readFile(`/proc/${name}/comm`, 'utf8')) === 'sleep\n'
      return isOfSide && !isPayload ? (await memoryMiB(Number(name))).pss * 1024 : 0
    } catch {
      return 0 // it ended meanwhile
    }
  })
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}
