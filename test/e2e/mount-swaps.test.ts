/**
 * Images and volumes in which somebody exchanges what is there with a symlink while a container is made: the racing
 * forms of the tricks in mount-safety.test.ts. A container may be refused; one that is made has everything in its place.
 */
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { CreateRequest, Runtime, Spec } from '../../src/oci/index.ts'
import { buildAttacker, isFull, swapNames, tryUntil } from '../support/attacker.ts'
import { createRequest, runContained } from '../support/contained.ts'
import { type ContainerStage, containerStage, plainSpec } from '../support/container.ts'
import { hostDirectory, makeDevice, quickRequest, quickRuntime } from '../support/hostile-image.ts'
import { serialRootTest } from '../support/root.ts'

const bound = isFull ? { tries: 10_000, seconds: 240 } : { tries: 3_000, seconds: 3 }

/** What is asked for is a mistake of the race's, never one of ours. */
const refusal =
  /ENOENT|ELOOP|ENOTDIR|EISDIR|EEXIST|EAGAIN|EXDEV|EINVAL|EACCES|EPERM|procfs|null device|devpts/

interface Race {
  runtime: Runtime
  request: CreateRequest
  /** Of the container's first process, once it is created. Gives the tries that it stands for. */
  look: (pid: number) => number
}

/** Makes the container until enough is tried, while a and b are exchanged; each was won and lost at least once. */
async function race(t: ExecutionContext, a: string, b: string, { runtime, request, look }: Race) {
  let refused = 0
  await using swapper = await swapNames(buildAttacker(join(a, '..')), a, b)
  const tries = await tryUntil(bound, async () => {
    try {
      const container = await runtime.create(request)
      try {
        return look((await container.state()).pid)
      } finally {
        await container.delete({ force: true })
      }
    } catch (error) {
      t.regex((error as Error).message, refusal)
      refused++
      return 1
    }
  })
  const swaps = await swapper.stop()
  t.log(`${tries} tries, ${refused} containers refused, ${swaps} exchanges`)
  t.true(swaps > 1000, 'the attacker was at work')
  t.true(tries > refused, 'some were made')
}

interface MountLine {
  id: string
  parent: string
  root: string
  place: string
  type: string
}

function mountsOf(pid: number | 'self'): MountLine[] {
  const lines = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => {
    const [id = '', parent = '', , root = '', place = ''] = line.split(' ')
    return { id, parent, root, place, type: / - (\S+)/.exec(line)?.[1] ?? '' }
  })
}

/** A volume of the host, and a container that has it at `destination`. */
function volumeAt(stage: ContainerStage, spec: Spec, destination: string): string {
  const source = join(stage.folder, 'volume')
  mkdirSync(source)
  spec.mounts?.unshift({ destination, type: 'bind', source, options: ['bind'] })
  return source
}

serialRootTest(
  'CVE-2025-31133, CVE-2025-62161: /dev/null is exchanged with a symlink while paths are masked with it',
  async (t) => {
    await using stage = await containerStage('race-null')
    const host = hostDirectory(stage)
    const secrets = Array.from({ length: 20 }, (_, index) => `/etc/secret${index}`)
    for (const secret of secrets) writeFileSync(join(stage.rootfs, secret), 'secret')
    const spec = plainSpec(['true'], (one) => {
      one.mounts = (one.mounts ?? []).filter(({ destination }) => !destination.startsWith('/dev'))
      one.linux.maskedPaths = secrets
    })
    const dev = volumeAt(stage, spec, '/dev')
    makeDevice(join(dev, 'null'), 1, 3)
    // In the container it is a secret itself, on the host a file of root's.
    symlinkSync('/etc/secret0', join(dev, 'other'))
    await race(t, join(dev, 'null'), join(dev, 'other'), {
      runtime: quickRuntime(stage),
      request: quickRequest(stage, spec),
      look(pid) {
        for (const secret of secrets) {
          const { mode, rdev } = statSync(`/proc/${pid}/root${secret}`)
          t.deepEqual({ kind: mode & 0o170000, rdev }, { kind: 0o020000, rdev: 0x103 }, secret)
        }
        return secrets.length
      },
    })
    host.unchanged(t)
  },
)

serialRootTest(
  'CVE-2025-52565: /dev/console and /dev/pts are exchanged with symlinks while a terminal is made',
  async (t) => {
    for (const name of ['console', 'pts']) {
      await using stage = await containerStage(`race-${name}`)
      const host = hostDirectory(stage)
      const spec = plainSpec(['true'], (one) => {
        one.process.terminal = true
        one.mounts = (one.mounts ?? []).filter(({ destination }) => !/^\/dev$/.test(destination))
      })
      const dev = volumeAt(stage, spec, '/dev')
      for (const folder of ['pts', 'shm', 'mqueue']) mkdirSync(join(dev, folder))
      makeDevice(join(dev, 'null'), 1, 3) // what is bound on /dev is complete
      writeFileSync(join(dev, 'console'), '')
      symlinkSync(name === 'pts' ? '/proc' : '/proc/sys/kernel/core_pattern', join(dev, 'other'))
      await race(t, join(dev, name), join(dev, 'other'), {
        runtime: stage.runtime,
        request: createRequest(stage, 'trick', spec),
        look(pid) {
          const { mode, rdev } = statSync(`/proc/${pid}/fd/0`)
          t.deepEqual({ kind: mode & 0o170000, major: rdev >> 8 }, { kind: 0o020000, major: 136 })
          const terminals = mountsOf(pid).filter(({ type }) => type === 'devpts')
          // The name that a mount hangs on may be exchanged afterwards; the directory around it stays /dev.
          for (const { place } of terminals) t.regex(place, /^\/dev\/(console|pts|other)$/)
          t.is(terminals.length, 2)
          return 1
        },
      })
      host.unchanged(t)
    }
  },
)

serialRootTest(
  'CVE-2025-52881, CVE-2025-62596: a volume’s place is exchanged with a symlink into /proc while settings are written',
  async (t) => {
    await using stage = await containerStage('race-proc')
    const host = hostDirectory(stage)
    const before = readFileSync('/proc/sys/net/ipv4/ip_default_ttl', 'utf8')
    const names = ['ip_default_ttl', 'ip_forward', 'tcp_syncookies', 'ip_local_port_range']
    const spec = plainSpec(
      ['sh', '-c', 'cat /proc/sys/net/ipv4/ip_default_ttl; cat /proc/self/mounts'],
      (one) => {
        one.linux.sysctl = { 'net.ipv4.ip_default_ttl': '77' }
        one.mounts?.push(
          ...names.map((name) => ({
            destination: `/vol/at/${name}`,
            type: 'bind',
            source: join(host.path, 'marker'),
            options: ['bind', 'ro'],
          })),
        )
      },
    )
    const volume = volumeAt(stage, spec, '/vol')
    mkdirSync(join(volume, 'at'))
    symlinkSync('/proc/sys/net/ipv4', join(volume, 'other'))
    let made = 0
    await using swapper = await swapNames(
      buildAttacker(stage.folder),
      join(volume, 'at'),
      join(volume, 'other'),
    )
    const tries = await tryUntil(bound, async () => {
      try {
        const [ttl, ...mounts] = (await runContained(stage, 'trick', spec)).lines
        t.is(ttl, '77', 'the setting went where it belongs')
        const over = mounts
          .map((line) => line.split(' ')[1] ?? '')
          .filter((place) => /^\/proc\/sys\/./.test(place))
        t.deepEqual(over, [], 'nothing lies over a setting')
        made++
      } catch (error) {
        t.regex((error as Error).message, refusal)
      }
      return names.length
    })
    t.log(`${tries} tries, ${made} containers made, ${await swapper.stop()} exchanges`)
    t.true(made > 0, 'some were made')
    t.is(readFileSync('/proc/sys/net/ipv4/ip_default_ttl', 'utf8'), before)
    host.unchanged(t)
  },
)

serialRootTest(
  'CVE-2019-19921, CVE-2023-27561, CVE-2023-28642: /proc of a shared image is exchanged with a symlink: what is masked is masked in the procfs that was mounted',
  async (t) => {
    await using stage = await containerStage('race-image')
    const host = hostDirectory(stage)
    const masked = ['kcore', 'keys', 'timer_list', 'meminfo', 'cpuinfo'].filter((name) =>
      existsSync(`/proc/${name}`),
    )
    const spec = plainSpec(['true'], ({ linux }) => {
      linux.maskedPaths = masked.map((name) => `/proc/${name}`)
      linux.readonlyPaths = ['/proc/sys']
    })
    symlinkSync('/tmp', join(stage.rootfs, 'other'))
    await race(t, join(stage.rootfs, 'proc'), join(stage.rootfs, 'other'), {
      runtime: quickRuntime(stage),
      request: quickRequest(stage, spec),
      look(pid) {
        const mounts = mountsOf(pid)
        const procs = mounts.filter(({ type, root }) => type === 'proc' && root === '/')
        t.is(procs.length, 1)
        const [proc] = procs
        t.regex(proc?.place ?? '', /^\/(proc|other)$/)
        // By their parent: the names change while they are read.
        const covered = mounts.filter(({ parent }) => parent === proc?.id).map(({ place }) => basename(place))
        t.deepEqual(covered.sort(), [...masked, 'sys'].sort())
        return covered.length
      },
    })
    host.unchanged(t)
  },
)
