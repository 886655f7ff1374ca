/** What mount options do, seen from inside the container, and on the host where something must or must not arrive. */
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mount, Spec } from '../../src/oci/spec.ts'
import { busyboxSpec, makeBundle } from '../support/bundle.ts'
import { runContained } from '../support/contained.ts'
import { type ContainerStage, containerStage, plainSpec } from '../support/container.ts'
import { type Outcome, runProgram } from '../support/oci-programs.ts'
import { ociTests } from '../support/oci-tests.ts'
import { rootTest } from '../support/root.ts'

const { programs, busyboxTest } = ociTests('mounts')

let counter = 0

function withMounts(script: string, ...mounts: Mount[]): Spec {
  return plainSpec(['sh', '-c', script], (spec) => {
    spec.mounts?.push(...mounts)
  })
}

const said = async (stage: ContainerStage, script: string, ...mounts: Mount[]) =>
  (await runContained(stage, `m${counter++}`, withMounts(script, ...mounts))).lines

rootTest('tmpcopyup: what the image has is there, as it was, and the image stays as it is', async (t) => {
  await using stage = await containerStage('copyup')
  const data = join(stage.rootfs, 'data')
  mkdirSync(join(data, 'sub/deeper'), { recursive: true })
  writeFileSync(join(data, 'file'), 'x'.repeat(100_000))
  writeFileSync(join(data, 'sub/deeper/leaf'), 'leaf')
  symlinkSync('/etc/passwd', join(data, 'link'))
  chownSync(join(data, 'file'), 7, 8)
  chmodSync(join(data, 'file'), 0o4751)
  chmodSync(data, 0o1750)
  const script = [
    'stat -c "%a %u %g %s" /data/file',
    'stat -c %a /data',
    'cat /data/sub/deeper/leaf; echo',
    'readlink /data/link',
    'echo new > /data/new && echo written',
    'grep -c "^tmpfs /data " /proc/mounts',
  ].join(';')
  const mount = { destination: '/data', type: 'tmpfs', options: ['tmpcopyup', 'nosuid'] }
  t.deepEqual(await said(stage, script, mount), [
    '4751 7 8 100000',
    '1750',
    'leaf',
    '/etc/passwd',
    'written',
    '1',
  ])
  t.false(existsSync(join(data, 'new')))
  t.is((await said(stage, 'touch /data/x 2>&1', { ...mount, options: ['tmpcopyup', 'ro'] })).length, 1)
})

rootTest(
  'a tmpfs without a mode takes that of the directory it covers, and 1777 where there was none',
  async (t) => {
    await using stage = await containerStage('tmpmode')
    mkdirSync(join(stage.rootfs, 'private'))
    chmodSync(join(stage.rootfs, 'private'), 0o700)
    const script = 'stat -c %a /private /fresh /given'
    const mounts = ['/private', '/fresh', '/given'].map((destination) => ({ destination, type: 'tmpfs' }))
    const options = { ...mounts[2], destination: '/given', options: ['mode=711'] }
    t.deepEqual(await said(stage, script, ...mounts.slice(0, 2), options), ['700', '1777', '711'])
  },
)

rootTest(
  'binds: of files, read-only without loss of other flags, symlinks as crun’s options want them',
  async (t) => {
    await using stage = await containerStage('binds')
    const at = (name: string) => join(stage.folder, name)
    mkdirSync(at('dir'))
    writeFileSync(at('file'), 'content\n')
    writeFileSync(at('dir/inner'), 'inner\n')
    symlinkSync('file', at('link'))
    symlinkSync('/etc', join(stage.rootfs, 'away'))
    const bind = (source: string, destination: string, ...options: string[]): Mount => ({
      destination,
      type: 'bind',
      source: at(source),
      options: ['bind', ...options],
    })
    t.deepEqual(await said(stage, 'cat /f; touch /f 2>/dev/null || echo ro', bind('file', '/f', 'ro')), [
      'content',
      'ro',
    ])
    const flags = await said(
      stage,
      'grep " /d " /proc/mounts',
      bind('dir', '/d', 'ro', 'nosuid', 'noexec', 'noatime'),
    )
    t.regex(flags[0] ?? '', / ro,nosuid,noexec,noatime/)
    t.deepEqual(await said(stage, 'cat /l', bind('link', '/l')), ['content'], 'the source is followed')
    t.deepEqual(await said(stage, 'readlink /c', bind('link', '/c', 'copy-symlink')), ['file'])
    t.deepEqual(await said(stage, 'test -L /n && readlink /n', bind('link', '/n', 'src-nofollow')), ['file'])
    t.deepEqual(
      await said(stage, 'cat /etc/inner', bind('dir', '/away')),
      ['inner'],
      'the destination is followed',
    )
    const covered = await said(stage, 'cat /away; ls /etc', bind('file', '/away', 'dest-nofollow'))
    t.is(covered[0], 'content')
    t.true(covered.includes('passwd'))
    await t.throwsAsync(said(stage, 'true', bind('link', '/etc/passwd', 'copy-symlink')), {
      message: /symlinkat \/etc\/passwd: EEXIST/,
    })
  },
)

rootTest('remount: attributes of a bind, options of a file system', async (t) => {
  await using stage = await containerStage('remount')
  const shm = (...options: string[]): Mount => ({
    destination: '/dev/shm',
    type: 'none',
    options: ['remount', ...options],
  })
  const show = 'grep " /dev/shm " /proc/mounts'
  t.regex((await said(stage, show, shm('size=1m')))[0] ?? '', /size=1024k/)
  t.regex((await said(stage, show, shm('bind', 'ro', 'noexec')))[0] ?? '', / ro,nosuid,nodev,noexec/)
  t.regex((await said(stage, show, shm('ro')))[0] ?? '', / ro,/)
})

/** In a mount namespace of its own, so that nothing of the host can be touched. */
async function inOwnMounts(spec: (folder: string) => Spec, before: string, after = ''): Promise<Outcome> {
  using bundle = makeBundle({})
  mkdirSync(join(bundle.path, 'vol'))
  writeFileSync(join(bundle.path, 'config.json'), JSON.stringify(spec(bundle.path)))
  const { path, stateRoot } = programs.keelson
  const command = `${path} --root ${stateRoot} run --bundle ${bundle.path} kt-mounts-${process.pid}-${counter++}`
  const script = ['set -e', `cd ${bundle.path}`, before, command, after].join('\n')
  return await runProgram('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script])
}

function busyboxWith(script: string, change: (spec: Spec) => Spec): Spec {
  return busyboxSpec(['/bin/sh', '-c', script], change)
}

busyboxTest(
  'recursive attributes reach the mounts below, plain ones do not, and the recursive ones win',
  async (t) => {
    const before = 'mount -t tmpfs one vol; mkdir vol/sub; mount -t tmpfs two vol/sub'
    const seen = async (...options: string[]) => {
      const { stdout, stderr } = await inOwnMounts(
        (folder) =>
          busyboxWith('grep " /v" /proc/mounts', (spec) => ({
            ...spec,
            mounts: [
              ...(spec.mounts ?? []),
              { destination: '/v', type: 'bind', source: `${folder}/vol`, options: ['rbind', ...options] },
            ],
          })),
        before,
      )
      const lines = stdout.trim().split('\n')
      t.is(lines.length, 2, stderr)
      return lines.map((line) => line.split(' ')[3] ?? '')
    }
    const [top = '', below = ''] = await seen(
      'rro',
      'rnosuid',
      'rnodev',
      'rnoexec',
      'rnoatime',
      'rnosymfollow',
    )
    for (const word of ['ro', 'nosuid', 'nodev', 'noexec', 'noatime', 'nosymfollow'])
      for (const line of [top, below]) t.true(line.split(',').includes(word), `${word} in ${line}`)
    const [plainTop = '', plainBelow = ''] = await seen('ro', 'nosuid')
    t.true(plainTop.startsWith('ro,nosuid'))
    t.true(plainBelow.startsWith('rw'))
    t.false(plainBelow.includes('nosuid'))
    t.true((await seen('ro', 'rrw'))[0]?.startsWith('rw'))
  },
)

busyboxTest('propagation: of a mount and of the root, each as mountinfo tells', async (t) => {
  const tags = async (rootfsPropagation: string | undefined, ...options: string[]) => {
    const { stdout, stderr } = await inOwnMounts(
      (folder) =>
        busyboxWith('cat /proc/self/mountinfo', (spec) => ({
          ...spec,
          linux: { ...spec.linux, ...(rootfsPropagation ? { rootfsPropagation } : {}) },
          mounts: [
            ...(spec.mounts ?? []),
            { destination: '/v', type: 'bind', source: `${folder}/vol`, options: ['bind', ...options] },
          ],
        })),
      'mount -t tmpfs one vol; mount --make-shared vol',
    )
    const tag = (place: string) => {
      const line = stdout.split('\n').find((one) => one.split(' ')[4] === place) ?? `no ${place}: ${stderr}`
      return line
        .split(' ')
        .slice(6, line.split(' ').indexOf('-'))
        .map((one) => one.replace(/:\d+/, ''))
    }
    return { root: tag('/'), volume: tag('/v') }
  }
  t.deepEqual((await tags(undefined, 'rprivate')).volume, [])
  t.deepEqual((await tags(undefined, 'rslave')).volume, ['master'])
  t.deepEqual((await tags(undefined, 'rslave', 'shared')).volume, ['shared', 'master'])
  t.deepEqual((await tags(undefined, 'unbindable')).volume, ['unbindable'])
  t.deepEqual((await tags('private')).root, [])
  t.deepEqual((await tags('unbindable')).root, ['unbindable'])
  t.deepEqual((await tags('shared')).root, ['shared'])
  t.deepEqual((await tags('slave')).root, [])
})

busyboxTest(
  'a shared root lets mounts in a shared volume reach the host, and nothing else of the container',
  async (t) => {
    const { stdout, stderr } = await inOwnMounts(
      (folder) =>
        busyboxWith(
          'mkdir /v/made /tmp/own; mount -t tmpfs inner /v/made && mount -t tmpfs own /tmp/own && echo mounted',
          (spec) => {
            const capabilities = ['CAP_SYS_ADMIN']
            return {
              ...spec,
              root: { path: 'rootfs' },
              process: {
                cwd: '/',
                ...spec.process,
                capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
              },
              linux: { ...spec.linux, rootfsPropagation: 'rshared' },
              mounts: [
                ...(spec.mounts ?? []),
                { destination: '/v', type: 'bind', source: `${folder}/vol`, options: ['rbind', 'rshared'] },
              ],
            }
          },
        ),
      // The whole of this namespace is shared, as on a machine that systemd booted; the volume is a mount of its own.
      'mount --make-rshared /; mount -t tmpfs one vol; before=$(cut -d" " -f5 /proc/self/mountinfo | sort)',
      'after=$(cut -d" " -f5 /proc/self/mountinfo | sort); echo "$after" | grep -vxF "$before" | sed "s|$PWD||"; [ -e /proc/self/mountinfo ] && echo alive',
    )
    t.deepEqual(stdout.trim().split('\n'), ['mounted', '/vol/made', 'alive'], stderr)
  },
)

busyboxTest('a relative destination is taken, and told', async (t) => {
  using bundle = makeBundle(
    busyboxWith('grep -c " /data " /proc/mounts', (spec) => ({
      ...spec,
      mounts: [...(spec.mounts ?? []), { destination: 'data', type: 'tmpfs' }],
    })),
  )
  const { stdout, stderr } = await programs.keelson.run([
    'run',
    '--bundle',
    bundle.path,
    `kt-rel-${process.pid}`,
  ])
  t.is(stdout, '1\n')
  t.regex(stderr, /mounts\[\d+\]\.destination: "data" is relative/)
})

busyboxTest('every mount option that the installed runc knows is known, under the same name', async (t) => {
  if (!programs.runc) return void t.log('SKIPPED: runc is not installed')
  const options = async (program: typeof programs.keelson) =>
    JSON.parse((await program.run(['features'])).stdout).mountOptions as string[]
  const ours = new Set(await options(programs.keelson))
  t.deepEqual(
    (await options(programs.runc)).filter((name) => !ours.has(name)),
    [],
  )
})

rootTest('masked directories share one empty file system', async (t) => {
  await using stage = await containerStage('masks')
  mkdirSync(join(stage.rootfs, 'secret-a'))
  mkdirSync(join(stage.rootfs, 'secret-b'))
  const spec = plainSpec(
    ['sh', '-c', 'stat -c %d /secret-a /secret-b; ls /secret-a /secret-b | grep -vc :'],
    ({ linux }) => {
      linux.maskedPaths = ['/secret-a', '/secret-b', '/not/there']
    },
  )
  const { lines } = await runContained(stage, 'masks', spec)
  t.is(lines[0], lines[1])
  t.false(existsSync(join(stage.rootfs, 'not')), 'a path that is not there is not made')
  t.true(lstatSync(join(stage.rootfs, 'secret-a')).isDirectory())
})
