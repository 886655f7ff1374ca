/** Containers of an ordinary user: its own id alone, or with newuidmap the ranges of /etc/subuid. */
import { chmodSync, cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Spec } from '../../src/oci/spec.ts'
import { busyboxSpec, hasBusybox, makeBundle } from '../support/bundle.ts'
import { type Outcome, ociPrograms } from '../support/oci-programs.ts'
import { giveTree, hasNewuidmap, type OrdinaryUser, ordinaryUser } from '../support/ordinary-user.ts'
import { openOwnFolder } from '../support/own-folder.ts'
import { rootTest } from '../support/root.ts'
import { skipWithout } from '../support/skip.ts'

const sharedPrograms = ociPrograms()
test.after.always(async () => (await sharedPrograms)[Symbol.asyncDispose]())
const busyboxTest = skipWithout('busybox-static', hasBusybox, rootTest)
const mappedTest = skipWithout('newuidmap (package uidmap)', hasNewuidmap, busyboxTest)

interface Scene {
  user: OrdinaryUser
  oci(...args: string[]): Promise<Outcome>
  /** A bundle in the user's home with the configuration of `spec --rootless`, changed. */
  bundle(change: (spec: Spec) => void): Promise<string>
  id: string
}

let count = 0

async function inScene(
  t: ExecutionContext,
  ranges: string | undefined,
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  const { keelson } = await sharedPrograms
  using folder = openOwnFolder()
  chmodSync(folder.path, 0o755)
  const id = `kt-rootless-${process.pid}-${count++}`
  const user = ordinaryUser(folder.path, 2000 + count, ranges)
  const oci = (...args: string[]) => user.run(keelson.path, args)
  const bundle = async (change: (spec: Spec) => void) => {
    using made = makeBundle(busyboxSpec(['/bin/true']))
    const path = join(user.home, 'bundle')
    cpSync(made.path, path, { recursive: true, verbatimSymlinks: true })
    const config = join(path, 'config.json')
    writeFileSync(config, '')
    giveTree(path, user.uid)
    t.is((await user.run('rm', [config])).code, 0)
    const written = await user.run(keelson.path, ['spec', '--rootless'], { cwd: path })
    t.is(written.code, 0, written.stderr)
    const spec = JSON.parse(readFileSync(config, 'utf8')) as Spec
    Object.assign(spec.process ?? {}, { terminal: false })
    change(spec)
    writeFileSync(config, JSON.stringify(spec))
    return path
  }
  try {
    await body({ user, oci, bundle, id })
  } finally {
    await oci('delete', '--force', id)
  }
}

function shell(script: string, ...more: ((spec: Spec) => void)[]): (spec: Spec) => void {
  return (spec) => {
    Object.assign(spec.process ?? {}, { args: ['/bin/sh', '-c', script] })
    for (const change of more) change(spec)
  }
}

/** As if `spec` had not been told --rootless: no user namespace and no maps. */
function withoutMaps({ linux }: Spec): void {
  if (!linux) return
  linux.namespaces = (linux.namespaces ?? []).filter(({ type }) => type !== 'user')
  delete linux.uidMappings
  delete linux.gidMappings
}

busyboxTest('CVE-2014-8989: one’s own id is mapped and setgroups is denied for good', async (t) => {
  await inScene(t, undefined, async ({ user, oci, bundle, id }) => {
    const script =
      'id -u; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; echo allow > /proc/self/setgroups'
    const path = await bundle(shell(script))
    const { stdout, stderr } = await oci('run', '--bundle', path, id)
    const map = `0 ${user.uid} 1`
    t.deepEqual(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.trim().replace(/\s+/g, ' ')),
      ['0', map, map, 'deny'],
      stderr,
    )
  })
})

busyboxTest('the whole life: create, start, exec, state, ps, kill, delete; pause is refused', async (t) => {
  await inScene(t, undefined, async ({ user, oci, bundle, id }) => {
    const path = await bundle(
      shell('sleep 1000', (spec) => Object.assign(spec.linux ?? {}, { resources: { pids: { limit: 9 } } })),
    )
    const created = await oci('create', '--bundle', path, id)
    t.is(created.code, 0, created.stderr)
    t.regex(created.stderr, /linux\.resources\.pids is not applied/)
    t.true(existsSync(join(user.home, 'run/keelson-oci', id)))
    t.is((await oci('start', id)).code, 0)
    const inside = await oci(
      'exec',
      id,
      '/bin/sh',
      '-c',
      'id -u; readlink /proc/self/ns/user; readlink /proc/1/ns/user',
    )
    const [uid, own, first] = inside.stdout.trim().split('\n')
    t.is(uid, '0', inside.stderr)
    t.is(own, first)
    t.like(JSON.parse((await oci('state', id)).stdout), { status: 'running', id })
    t.is(JSON.parse((await oci('ps', '--format', 'json', id)).stdout).length, 1)
    const refused = await oci('pause', id)
    t.is(refused.code, 1)
    t.regex(refused.stderr, /it has no cgroup/)
    t.is((await oci('kill', id, 'KILL')).code, 0)
    for (let left = 100; left > 0; left--)
      if (JSON.parse((await oci('state', id)).stdout).status === 'stopped') break
    t.is((await oci('delete', id)).code, 0)
    t.false(existsSync(join(user.home, 'run/keelson-oci', id)))
  })
})

busyboxTest(
  'a configuration without a user namespace gets one; a network and a time of its own work',
  async (t) => {
    await inScene(t, undefined, async ({ oci, bundle, id }) => {
      const script = 'id -u; ls /sys/class/net; cat /proc/self/timens_offsets; cut -d. -f1 /proc/uptime'
      const path = await bundle(
        shell(script, withoutMaps, ({ linux, mounts }) => {
          linux?.namespaces?.push({ type: 'network' }, { type: 'time' })
          Object.assign(linux ?? {}, { timeOffsets: { boottime: { secs: 10_000_000 } } })
          const sys = mounts?.find(({ destination }) => destination === '/sys')
          Object.assign(sys ?? {}, {
            type: 'sysfs',
            source: 'sysfs',
            options: ['nosuid', 'noexec', 'nodev', 'ro'],
          })
        }),
      )
      const { stdout, stderr } = await oci('run', '--bundle', path, id)
      const [uid, device, ...rest] = stdout.trim().split('\n')
      t.deepEqual([uid, device], ['0', 'lo'], stderr)
      t.regex(rest.join('\n'), /boottime\s+10000000\s+0/)
      t.true(Number(rest.at(-1)) > 10_000_000)
    })
  },
)

busyboxTest('CVE-2023-25809: without a cgroup namespace no file of a cgroup can be written', async (t) => {
  await inScene(t, undefined, async ({ oci, bundle, id }) => {
    const script = [
      'find /sys/fs/cgroup -name cgroup.procs -o -name tasks | head -2000 | while read one; do',
      '(echo 0 > $one) 2>/dev/null && echo written $one; done;',
      'grep " /sys/fs/cgroup" /proc/self/mountinfo | cut -d" " -f6 | grep -c "^rw";',
      'find /sys/fs/cgroup -name tasks | head -1 | grep -c tasks',
    ].join(' ')
    const path = await bundle(
      shell(script, ({ linux }) => {
        if (linux) linux.namespaces = (linux.namespaces ?? []).filter(({ type }) => type !== 'cgroup')
      }),
    )
    const { stdout, stderr } = await oci('run', '--bundle', path, id)
    t.deepEqual(stdout.trim().split('\n'), ['0', '1'], stderr)
  })
})

busyboxTest('what an ordinary user cannot have is refused by its path', async (t) => {
  await inScene(t, undefined, async ({ oci, bundle, id }) => {
    const idmap = ({ mounts }: Spec) =>
      mounts?.push({ destination: '/x', type: 'bind', source: '/tmp', options: ['bind', 'idmap'] })
    const groups = ({ process }: Spec) =>
      Object.assign(process ?? {}, { user: { uid: 0, gid: 0, additionalGids: [5] } })
    for (const [words, change] of [
      [/mounts\[\d+\].*only root/, idmap],
      [/additional groups/, groups],
    ] as const) {
      const path = await bundle(shell('true', change))
      const { code, stderr } = await oci('run', '--bundle', path, id)
      t.is(code, 1)
      t.regex(stderr, words)
    }
  })
})

mappedTest('newuidmap: maps that are given, and automatic ones from /etc/subuid', async (t) => {
  await inScene(t, '300000:5000', async ({ user, oci, bundle, id }) => {
    const script = 'cat /proc/self/uid_map /proc/self/setgroups; touch /tmp/root; id'
    const path = await bundle(
      shell(script, withoutMaps, ({ process, root }) => {
        Object.assign(process ?? {}, { user: { uid: 33, gid: 33, additionalGids: [44] } })
        Object.assign(root ?? {}, { readonly: false })
      }),
    )
    chmodSync(join(path, 'rootfs/tmp'), 0o777)
    const { stdout, stderr } = await oci('run', '--bundle', path, id)
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => line.trim().replace(/\s+/g, ' '))
    t.deepEqual(lines, [`0 ${user.uid} 1`, '1 300000 5000', 'allow', 'uid=33 gid=33 groups=44'], stderr)
  })
})

mappedTest('newuidmap says itself what it refuses', async (t) => {
  await inScene(t, '300000:5000', async ({ oci, bundle, id }) => {
    const path = await bundle(
      shell('true', ({ linux }) => {
        linux?.uidMappings?.push({ containerID: 1, hostID: 400_000, size: 10 })
        linux?.gidMappings?.push({ containerID: 1, hostID: 300_000, size: 10 })
      }),
    )
    const { code, stderr } = await oci('run', '--bundle', path, id)
    t.is(code, 1)
    t.regex(stderr, /newuidmap: uid range \[1-11\) -> \[400000-400010\) not allowed/)
  })
})
