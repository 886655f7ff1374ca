/** Images, annotations and terminals that are made to trick those who look into them without mounting anything. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Spec } from '../../src/oci/index.ts'
import { buildAttacker } from '../support/attacker.ts'
import { busyboxSpec, hasBusybox, makeBundle } from '../support/bundle.ts'
import { execContained, idleContainer, runContained } from '../support/contained.ts'
import { containerStage, plainSpec } from '../support/container.ts'
import { eventually } from '../support/eventually.ts'
import { hostDirectory } from '../support/hostile-image.ts'
import { ociPrograms } from '../support/oci-programs.ts'
import { rootTest } from '../support/root.ts'
import { skipWithout } from '../support/skip.ts'

const busyboxTest = skipWithout('busybox-static', hasBusybox, rootTest)
const hasScript = existsSync('/usr/bin/script')

rootTest(
  'CVE-2025-24965: no file of a handler is written into an image, whatever an annotation asks for',
  async (t) => {
    await using stage = await containerStage('handler')
    const host = hostDirectory(stage)
    for (const name of ['.krun_config.json', '.keelson', 'dev/.config'])
      symlinkSync(join(host.path, 'marker'), join(stage.rootfs, name))
    const spec = plainSpec(['ls', '-a', '/'], (one) => {
      one.annotations = { 'run.oci.handler': 'krun', 'run.oci.delegate-cgroup': '../../..' }
    })
    const { lines, exitCode } = await runContained(stage, 'box', spec)
    t.is(exitCode, 0)
    t.true(lines.includes('.krun_config.json'))
    host.unchanged(t)
  },
)

rootTest(
  'CVE-2016-3697, CVE-2019-18837: whose home it is says the image alone, also when its /etc or passwd leads to the host',
  async (t) => {
    await using stage = await containerStage('home')
    const host = hostDirectory(stage)
    mkdirSync(join(stage.rootfs, 'home'))
    const passwd = join(host.path, 'passwd')
    const home = async (id: string) => {
      const spec = plainSpec(['sh', '-c', 'echo $HOME'], ({ process }) => {
        process.user = { uid: 4242, gid: 4242 }
      })
      return (await runContained(stage, id, spec)).lines
    }
    const secret = 'x:x:4242:4242::/stolen:/bin/sh\n'
    writeFileSync(passwd, secret)
    rmSync(join(stage.rootfs, 'etc'), { recursive: true })
    for (const [id, target] of [
      ['absolute', host.path],
      ['climbing', `../../../../../..${host.path}`],
    ] as const) {
      symlinkSync(target, join(stage.rootfs, 'etc'))
      t.deepEqual(await home(id), ['/'])
      rmSync(join(stage.rootfs, 'etc'))
    }
    mkdirSync(join(stage.rootfs, 'etc'))
    symlinkSync('/proc/self/fd/3/passwd', join(stage.rootfs, 'etc/passwd'))
    t.deepEqual(await home('magic'), ['/'])
    rmSync(join(stage.rootfs, 'etc/passwd'))
    writeFileSync(
      join(stage.rootfs, 'etc/passwd'),
      '4242:x:0:0::/wrong:/bin/sh\nx:x:4242:4242::/mine:/bin/sh\n',
    )
    t.deepEqual(await home('own'), ['/mine'])
  },
)

rootTest('CVE-2024-21626: no working directory of an exec leads out by a descriptor', async (t) => {
  await using stage = await containerStage('cwd')
  await using container = await idleContainer(stage, 'box', plainSpec(['sleep', '1000']))
  // Until the first process has become its program it may hold directories of the container, which lead nowhere else.
  const name = { cwd: '/', env: ['PATH=/bin'], args: ['cat', '/proc/1/comm'] }
  await eventually('the first program runs', async () =>
    (await execContained(container, name)).lines.includes('sleep'),
  )
  for (let fd = 0; fd <= 64; fd++)
    for (const link of fd < 8 ? ['self', 'thread-self', '1'] : ['self']) {
      const process = { cwd: `/proc/${link}/fd/${fd}`, env: ['PATH=/bin'], args: ['pwd'] }
      await t.throwsAsync(execContained(container, process), { message: /chdir|outside of the container/ })
    }
  const here = { cwd: '/tmp', env: ['PATH=/bin'], args: ['pwd'] }
  t.deepEqual((await execContained(container, here)).lines, ['/tmp'])
})

skipWithout(
  'script (package bsdutils)',
  hasScript,
  busyboxTest,
)(
  'CVE-2017-5226, CVE-2019-10063: a caller’s terminal controls no program in a container, which cannot type into it',
  async (t) => {
    await using programs = await ociPrograms()
    const { path, stateRoot } = programs.keelson
    const withAttacker = (args: string[], change: (spec: Spec) => Spec = (one) => one) => {
      const bundle = makeBundle(busyboxSpec(args, change))
      copyFileSync(buildAttacker(bundle.path), join(bundle.rootfs, 'bin/attacker'))
      return bundle
    }
    const inTerminal = (command: string) =>
      spawnSync('script', ['-qec', `${path} --root ${stateRoot} ${command}`, '/dev/null'], {
        encoding: 'utf8',
      }).stdout.trim()
    using once = withAttacker(['/bin/attacker', 'tty'])
    using idle = withAttacker(['/bin/sleep', '1000'])
    const id = `kt-tty-${process.pid}`
    t.is(inTerminal(`run --bundle ${once.path} ${id}`), 'no terminal')
    const { code } = await programs.keelson.run(['run', '--detach', '--bundle', idle.path, id])
    t.is(code, 0)
    try {
      t.is(inTerminal(`exec ${id} /bin/attacker tty`), 'no terminal')
      t.regex(
        inTerminal(`exec -t ${id} /bin/attacker tty`),
        /^has a controlling terminal/,
        'its own, when it asks',
      )
    } finally {
      await programs.keelson.run(['delete', '--force', id])
    }
  },
)
