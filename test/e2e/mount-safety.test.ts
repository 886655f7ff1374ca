/**
 * Images and volumes that are made to trick whoever mounts into them. Each title names the advisory whose trick it is;
 * what is checked is that the host's side of it stays untouched, and that the container does not start half protected.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Mount, Spec } from '../../src/oci/index.ts'
import { createRequest, runContained } from '../support/contained.ts'
import { type ContainerStage, containerStage, plainSpec } from '../support/container.ts'
import { hostDirectory, quickRequest, quickRuntime } from '../support/hostile-image.ts'
import { rootTest } from '../support/root.ts'

type Change = NonNullable<Parameters<typeof plainSpec>[1]>

/** The image's own entry gives way to a link. */
function linkInImage(stage: ContainerStage, name: string, target: string): void {
  rmSync(join(stage.rootfs, name), { recursive: true, force: true })
  symlinkSync(target, join(stage.rootfs, name))
}

const withoutDev: Change = (spec) => {
  spec.mounts = (spec.mounts ?? []).filter(({ destination }) => !destination.startsWith('/dev'))
}

async function refused(
  t: ExecutionContext,
  stage: ContainerStage,
  spec: Spec,
  message: RegExp,
): Promise<void> {
  const { process } = spec
  const request = process?.terminal ? createRequest(stage, 'trick', spec) : quickRequest(stage, spec)
  const runtime = process?.terminal ? stage.runtime : quickRuntime(stage)
  await t.throwsAsync(runtime.create(request), { message })
  t.is(await runtime.find('trick'), undefined)
}

rootTest(
  'CVE-2026-41579, CVE-2026-47766, CVE-2026-88264, CVE-2026-88265: /dev of the image is a symlink and nothing is mounted there',
  async (t) => {
    await using stage = await containerStage('dev')
    const host = hostDirectory(stage)
    for (const target of [host.path, '/tmp', `../../../../../..${host.path}`, 'nowhere']) {
      linkInImage(stage, 'dev', target)
      for (const terminal of [false, true]) {
        const spec = plainSpec(['true'], (one) => {
          withoutDev(one)
          one.process.terminal = terminal
          one.process.user = { uid: 1000, gid: 1000 }
        })
        await refused(t, stage, spec, /realDirectory: openat2 \/dev: (ELOOP|ENOTDIR)/)
      }
      host.unchanged(t)
      t.deepEqual(readdirSync(join(stage.rootfs, 'tmp')), [])
    }
  },
)

rootTest(
  'CVE-2026-88265: an image whose /dev/null is a symlink, or another file, and no /dev mount',
  async (t) => {
    await using stage = await containerStage('null')
    const host = hostDirectory(stage)
    const spec = plainSpec(['true'], (one) => {
      withoutDev(one)
      one.process.user = { uid: 1000, gid: 1000 }
    })
    for (const target of [join(host.path, 'marker'), '/etc/passwd']) {
      linkInImage(stage, 'dev/null', target)
      await refused(t, stage, spec, /makeNode: mknodat \/dev\/null: EEXIST/)
      host.unchanged(t)
    }
  },
)

rootTest(
  'CVE-2019-19921, CVE-2023-27561, CVE-2023-28642, CVE-2025-54867: /proc or /sys of the image is a symlink',
  async (t) => {
    await using stage = await containerStage('procsym')
    const host = hostDirectory(stage)
    for (const name of ['proc', 'sys'])
      for (const target of ['/tmp', host.path, `../..${host.path}`]) {
        linkInImage(stage, name, target)
        await refused(t, stage, plainSpec(['true']), new RegExp(`openat2 /${name}: (ELOOP|ENOTDIR)`))
        rmSync(join(stage.rootfs, name))
        mkdirSync(join(stage.rootfs, name))
        host.unchanged(t)
      }
  },
)

rootTest(
  'CVE-2019-18837: mount targets that are symlinks, absolute, relative and through parents',
  async (t) => {
    await using stage = await containerStage('target')
    const host = hostDirectory(stage)
    mkdirSync(join(stage.rootfs, 'way'))
    const links: [string, string][] = [
      ['absolute', host.path],
      ['climbing', `../../../../../../../..${host.path}`],
      ['way/parent', `../../../..${host.path}`],
      ['toproc', '/proc/self/root'],
    ]
    for (const [name, target] of links) {
      symlinkSync(target, join(stage.rootfs, name))
      const mount: Mount = { destination: `/${name}/made`, type: 'tmpfs', options: ['size=64k'] }
      const spec = plainSpec(['sh', '-c', 'grep -c ^tmpfs /proc/mounts'], ({ mounts }) => {
        mounts?.push(mount, {
          destination: `/${name}/file`,
          type: 'bind',
          source: '/etc/hostname',
          options: ['bind'],
        })
      })
      // Inside, the link is a path of the container's; made there, or refused.
      await runContained(stage, 'link', spec).catch((error: Error) =>
        t.regex(error.message, /ELOOP|EPERM|ENOTDIR|ENOENT|procfs/),
      )
      host.unchanged(t)
    }
    t.false(readFileSync('/proc/self/mountinfo', 'utf8').includes(stage.folder))
  },
)

rootTest(
  'CVE-2025-31133, CVE-2025-62161: /dev/null is not the null device when paths are masked',
  async (t) => {
    await using stage = await containerStage('mask')
    const host = hostDirectory(stage)
    const maskFile: Change = ({ linux }) => {
      linux.maskedPaths = ['/etc/passwd']
    }
    for (const target of ['/proc/sys/kernel/core_pattern', join(host.path, 'marker')]) {
      linkInImage(stage, 'dev/null', target)
      const spec = plainSpec(['true'], (one) => {
        withoutDev(one)
        maskFile(one)
      })
      await refused(t, stage, spec, /dev\/null/)
      host.unchanged(t)
    }
    rmSync(join(stage.rootfs, 'dev/null'))
    const { lines } = await runContained(
      stage,
      'well',
      plainSpec(['sh', '-c', 'wc -c < /etc/passwd'], maskFile),
    )
    t.deepEqual(lines, ['0'])
  },
)

rootTest(
  'CVE-2025-52565: /dev/pts is no devpts, or leads elsewhere, when a terminal is asked for',
  async (t) => {
    await using stage = await containerStage('pts')
    const host = hostDirectory(stage)
    const withTerminal = (mount?: Mount) =>
      plainSpec(['true'], (spec) => {
        spec.process.terminal = true
        spec.mounts = (spec.mounts ?? []).filter(({ destination }) => destination !== '/dev/pts')
        if (mount) spec.mounts.push(mount)
      })
    await refused(t, stage, withTerminal(), /\/dev\/pts/)
    await refused(t, stage, withTerminal({ destination: '/dev/pts', type: 'tmpfs' }), /\/dev\/pts/)
    await refused(
      t,
      stage,
      withTerminal({ destination: '/dev/pts', type: 'bind', source: host.path, options: ['bind', 'ro'] }),
      /\/dev\/pts/,
    )
    host.unchanged(t)
  },
)

rootTest('CVE-2019-16884: what is mounted over /proc has to be a procfs', async (t) => {
  await using stage = await containerStage('overproc')
  const host = hostDirectory(stage)
  const withProc = (mount: Mount) =>
    plainSpec(['true'], (spec) => {
      spec.mounts = [...(spec.mounts ?? []).filter(({ destination }) => destination !== '/proc'), mount]
    })
  await refused(
    t,
    stage,
    withProc({ destination: '/proc', type: 'tmpfs' }),
    /mounts\[\d\]\.type: \/proc takes no tmpfs/,
  )
  await refused(t, stage, withProc({ destination: '/proc/', type: 'tmpfs' }), /\/proc takes no tmpfs/)
  for (const source of [host.path, '/proc/sys', '/sys'])
    await refused(
      t,
      stage,
      withProc({ destination: '/proc', type: 'bind', source, options: ['rbind'] }),
      /not a procfs/,
    )
  await t.notThrowsAsync(
    runContained(
      stage,
      'well',
      withProc({ destination: '/proc', type: 'bind', source: '/proc', options: ['rbind'] }),
    ),
  )
  host.unchanged(t)
})

rootTest(
  'CVE-2025-52881, CVE-2025-62596: volumes over files of /proc, by their path or by a symlink to it, are refused',
  async (t) => {
    await using stage = await containerStage('overattr')
    const host = hostDirectory(stage)
    symlinkSync('/proc', join(stage.rootfs, 'alias'))
    symlinkSync('/proc/sys/net', join(stage.rootfs, 'settings'))
    const volumes = [
      { type: 'bind', source: join(host.path, 'marker'), options: ['bind'] },
      { type: 'bind', source: '/proc/self/sched', options: ['bind'] },
    ]
    const places = [
      'self/attr/exec',
      'self/attr/apparmor/exec',
      'thread-self/attr/exec',
      'sys/net/ipv4/ip_forward',
    ]
    for (const volume of volumes) {
      for (const place of places) {
        const over = (destination: string) =>
          plainSpec(['true'], ({ mounts }) => mounts?.push({ destination, ...volume }))
        await refused(t, stage, over(`/proc/${place}`), /lies inside \/proc/)
        await refused(t, stage, over(`/alias/${place}`), /mount over procfs|ENOENT|EACCES|EPERM/)
      }
      const spec = plainSpec(['true'], ({ mounts }) =>
        mounts?.push({ destination: '/settings/ipv4/ip_forward', ...volume }),
      )
      await refused(t, stage, spec, /mount over procfs/)
    }
    const lxcfs = plainSpec(['cat', '/proc/uptime'], ({ mounts }) =>
      mounts?.push({ destination: '/proc/uptime', ...volumes[0], type: 'bind' }),
    )
    t.deepEqual(
      (await runContained(stage, 'lxcfs', lxcfs)).lines,
      ['host'],
      'what engines replace may be replaced',
    )
    host.unchanged(t)
  },
)

rootTest(
  'CVE-2025-52881: a setting goes to the container’s own procfs, whatever the visible one is covered with',
  async (t) => {
    await using stage = await containerStage('sysctl')
    const before = readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8')
    const spec = plainSpec(['cat', '/proc/sys/net/ipv4/ip_default_ttl'], ({ linux, mounts }) => {
      linux.sysctl = { 'net.ipv4.ip_default_ttl': '77' }
      mounts?.push({ destination: '/proc/stat', type: 'bind', source: '/etc/hostname', options: ['bind'] })
    })
    t.deepEqual((await runContained(stage, 'ttl', spec)).lines, ['77'])
    t.is(readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8'), before)
    const noProc = plainSpec(['sh', '-c', 'ls /proc; echo none'], (one) => {
      one.linux.sysctl = { 'net.ipv4.ip_default_ttl': '77' }
      one.linux.maskedPaths = []
      one.linux.readonlyPaths = []
      one.mounts = one.mounts?.filter(({ destination }) => destination !== '/proc') ?? []
    })
    t.deepEqual((await runContained(stage, 'noproc', noProc)).lines, ['none'], 'also where none is visible')
  },
)

rootTest(
  'CVE-2024-21626: no working directory leads out by a descriptor, and none is left open',
  async (t) => {
    await using stage = await containerStage('fds')
    for (let fd = 0; fd <= 64; fd++)
      for (const link of fd < 8 ? ['self', 'thread-self', '1'] : ['self']) {
        const spec = plainSpec(['pwd'], ({ process }) => {
          process.cwd = `/proc/${link}/fd/${fd}`
        })
        await refused(t, stage, spec, /chdir|outside of the container/)
      }
    const script = 'ls /proc/self/fd; cd /tmp; pwd; cat /proc/1/fdinfo/* | grep flags'
    const { lines } = await runContained(stage, 'open', plainSpec(['sh', '-c', script]))
    t.deepEqual(lines.slice(0, 5), ['0', '1', '2', '3', '/tmp'], '3 is what ls itself reads with')
    const flags = lines.slice(5).map((line) => Number.parseInt(line.replace(/\D/g, ''), 8))
    t.true(flags.length >= 3)
    for (const one of flags) t.is(one & 0o10000000, 0, 'none is O_PATH')
  },
)
