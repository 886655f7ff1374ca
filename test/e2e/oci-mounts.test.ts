/** Mounts into a running container and out of it again. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mount } from '../../src/oci/spec.ts'
import { busyboxSpec, makeBundle } from '../support/bundle.ts'
import { ociTests } from '../support/oci-tests.ts'

const { programs, nextId, busyboxTest } = ociTests('mounts')

const keelson = (...args: string[]) => programs.keelson.run(args)

interface Scene {
  id: string
  rootfs: string
  /** A folder of the host with one file. */
  volume: string
  mounts: (action: string, mounts: readonly Mount[]) => Promise<{ code: number; stderr: string }>
  inside: (script: string) => Promise<string>
}

async function scene(body: (scene: Scene) => Promise<void>): Promise<void> {
  using bundle = makeBundle(
    busyboxSpec(['/bin/sleep', '100'], (one) => ({ ...one, root: { path: 'rootfs' } })),
  )
  const id = nextId()
  const volume = join(bundle.path, 'volume')
  mkdirSync(volume)
  writeFileSync(join(volume, 'file'), 'from the host')
  const mounts = async (action: string, list: readonly Mount[]) =>
    programs.keelson.run(['mounts', action, id, '-'], { input: JSON.stringify(list) })
  const inside = async (script: string) => {
    const { stdout, stderr } = await keelson('exec', id, '/bin/sh', '-c', script)
    return stdout + stderr
  }
  try {
    const { code, stderr } = await keelson('run', '--detach', '--bundle', bundle.path, id)
    if (code !== 0) throw new Error(stderr)
    await body({ id, rootfs: bundle.rootfs, volume, mounts, inside })
  } finally {
    await keelson('delete', '--force', id)
  }
}

busyboxTest(
  'a bind and a tmpfs are added with their options, seen inside only, and removed again',
  async (t) => {
    await scene(async ({ volume, mounts, inside }) => {
      const before = readFileSync('/proc/self/mountinfo', 'utf8')
      const bind = { destination: '/data', type: 'bind', source: volume, options: ['bind', 'ro'] }
      const file = { destination: '/etc/one', type: 'bind', source: join(volume, 'file'), options: ['bind'] }
      const tmpfs = {
        destination: '/scratch',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['size=64k', 'noexec'],
      }
      t.like(await mounts('add', [bind, file, tmpfs]), { code: 0, stderr: '' })
      t.is(await inside('cat /data/file; echo; cat /etc/one'), 'from the host\nfrom the host')
      t.regex(await inside('touch /data/new'), /Read-only file system/)
      t.regex(await inside('grep " /scratch " /proc/self/mountinfo'), /noexec.* - tmpfs tmpfs .*size=64k/)
      t.is(readFileSync('/proc/self/mountinfo', 'utf8'), before, 'the host has no more mounts than before')
      t.regex((await mounts('add', [bind])).stderr, /a mount was added at \/data already/)
      t.like(await mounts('remove', [bind, file]), { code: 0, stderr: '' })
      t.regex(await inside('cat /data/file'), /No such file/)
      t.regex(await inside('grep -c " /scratch " /proc/self/mountinfo'), /^1/)
      t.regex((await mounts('remove', [bind])).stderr, /no mount was added at \/data/)
      t.like(await mounts('add', [bind]), { code: 0, stderr: '' })
    })
  },
)

busyboxTest('targets that are links of the container lead nowhere but into it', async (t) => {
  await scene(async ({ id, rootfs, volume, mounts, inside }) => {
    const host = join(volume, 'target')
    mkdirSync(host)
    mkdirSync(join(rootfs, host), { recursive: true }) // where the same name leads inside
    symlinkSync(host, join(rootfs, 'absolute'))
    symlinkSync('../../../../../../../../tmp', join(rootfs, 'climbing'))
    symlinkSync(`/proc/1/root${host}`, join(rootfs, 'magic'))
    const before = readFileSync('/proc/self/mountinfo', 'utf8')
    for (const destination of ['/absolute', '/climbing', '/magic/x', '/../../escape']) {
      const { code, stderr } = await mounts('add', [{ destination, type: 'tmpfs', source: 'tmpfs' }])
      if (code !== 0) t.regex(stderr, /^keelson-oci: mounts: [^\n]+\n$/, destination)
    }
    t.is(readFileSync('/proc/self/mountinfo', 'utf8'), before)
    t.regex(
      await inside(`grep " ${host} " /proc/self/mountinfo`),
      / - tmpfs /,
      'the same path, in the container',
    )
    t.like(await keelson('state', id), { code: 0 })
  })
})

busyboxTest('what cannot be: one line each, and the container as before', async (t) => {
  await scene(async ({ id, mounts, inside }) => {
    const before = await inside('cat /proc/self/mountinfo')
    for (const [list, message] of [
      [[{ destination: '/x', type: 'bind', source: '/no/such' }], /open_tree \/no\/such: ENOENT/],
      [[{ destination: '/x', type: 'bind' }], /mounts\[0\]\.source: a bind mount has no source/],
      [[{ destination: '/proc/sys', type: 'tmpfs' }], /mounts\[0\]\.destination/],
      [[{ destination: '/x', type: 'cgroup' }], /cgroup file systems cannot be added/],
      [{}, /mounts: must be a list/],
    ] as const) {
      const { code, stderr } = await mounts('add', list as unknown as Mount[])
      t.is(code, 1)
      t.regex(stderr, message)
      t.regex(stderr, /^keelson-oci: mounts: [^\n]+\n$/)
    }
    t.is(await inside('cat /proc/self/mountinfo'), before)
    t.regex((await keelson('mounts', 'shuffle', id, '-')).stderr, /cannot "shuffle"/)
    t.regex((await keelson('mounts', 'add', 'nobody', '-')).stderr, /does not exist/)
  })
})
