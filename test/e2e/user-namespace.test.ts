/** Containers in a user namespace made by root: views beside runc's, what their root may do, and exec. */
import { chmodSync, mkdirSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Spec } from '../../src/oci/spec.ts'
import { type Bundle, busyboxSpec, hasBusybox, makeBundle } from '../support/bundle.ts'
import { ociPrograms, type Program } from '../support/oci-programs.ts'
import { openOwnFolder } from '../support/own-folder.ts'
import { rootTest } from '../support/root.ts'
import { skipWithout } from '../support/skip.ts'

const sharedPrograms = ociPrograms()
test.after.always(async () => (await sharedPrograms)[Symbol.asyncDispose]())

const busyboxTest = skipWithout('busybox-static', hasBusybox, rootTest)
const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }]

function inUserNamespace(change: (spec: Spec) => void = () => {}): (spec: Spec) => Spec {
  return (spec) => {
    const namespaces = [...(spec.linux?.namespaces ?? []), { type: 'user' }]
    const linux = { ...spec.linux, namespaces, uidMappings: map, gidMappings: map }
    const changed = structuredClone({ ...spec, ociVersion: '1.0.2', linux })
    change(changed)
    return changed
  }
}

/** runc lets the container's root walk to its rootfs, so the folder has to be open. */
function openBundle(spec: Spec): Bundle {
  const bundle = makeBundle(spec)
  chmodSync(bundle.path, 0o755)
  return bundle
}

let count = 0
const nextId = () => `kt-user-${process.pid}-${count++}`

async function run(t: ExecutionContext, program: Program, spec: Spec): Promise<string> {
  using bundle = openBundle(spec)
  const { code, stdout, stderr } = await program.run(['run', '--bundle', bundle.path, nextId()])
  t.is(code, 0, `${program.name}: ${stderr}`)
  return stdout
}

const kinds = ['user', 'pid', 'net', 'mnt', 'ipc', 'uts', 'cgroup', 'time'] as const

/** Everything about namespaces that the kernel tells a process; the numbers of new ones are only `new`. */
async function view(t: ExecutionContext, program: Program, change: (spec: Spec) => Spec): Promise<unknown> {
  const files = ['uid_map', 'gid_map', 'setgroups', 'cgroup'].map((name) => `/proc/self/${name}`)
  const script = `cat ${files.join(' ')}; for one in ${kinds.join(' ')}; do readlink /proc/self/ns/$one; done`
  const lines = (await run(t, program, busyboxSpec(['/bin/sh', '-c', script], change))).trim().split('\n')
  const own = kinds.map((kind) => readlinkSync(`/proc/self/ns/${kind}`))
  const links = lines.splice(-kinds.length).map((link, index) => (link === own[index] ? 'own' : 'new'))
  return { lines, links: Object.fromEntries(kinds.map((kind, index) => [kind, links[index]])) }
}

const without = (spec: Spec, ...types: string[]): Spec => ({
  ...spec,
  linux: {
    ...spec.linux,
    namespaces: spec.linux?.namespaces?.filter(({ type }) => !types.includes(type)) ?? [],
  },
})

busyboxTest('every namespace’s view is the one that runc gives', async (t) => {
  const programs = await sharedPrograms
  const plain = (spec: Spec): Spec => ({ ...spec, ociVersion: '1.0.2' })
  const cases: Record<string, (spec: Spec) => Spec> = {
    'without a user namespace': plain,
    'with one': inUserNamespace(),
    'without pid and ipc': (spec) => without(plain(spec), 'pid', 'ipc'),
  }
  for (const [name, change] of Object.entries(cases)) {
    const ours = await view(t, programs.keelson, change)
    if (programs.runc) t.deepEqual(ours, await view(t, programs.runc, change), name)
    else t.log('SKIPPED in part: runc is not installed, so nothing is compared with it')
    const isNew = name === 'with one' ? 'new' : 'own'
    t.like(ours, { links: { user: isNew, net: 'new', mnt: 'new', time: 'own' } }, name)
  }
})

busyboxTest('its root owns what it makes, has devices, and nothing of the host', async (t) => {
  const programs = await sharedPrograms
  using folder = openOwnFolder()
  mkdirSync(join(folder.path, 'closed/inner'), { recursive: true, mode: 0o755 })
  chmodSync(join(folder.path, 'closed'), 0o700)
  writeFileSync(join(folder.path, 'closed/inner/file'), 'from a closed folder\n', { mode: 0o644 })
  const script = [
    'echo x > /dev/null && head -c 4 /dev/zero | od -An -tx1',
    'touch /tmp/made && stat -c %u:%g /tmp/made',
    'cat /data/file && touch /data/mine || echo not mine',
    'cat /proc/self/oom_score_adj',
  ].join('; ')
  const change = inUserNamespace((spec) => {
    const source = join(folder.path, 'closed/inner')
    Object.assign(spec, { root: { path: 'rootfs' } })
    Object.assign(spec.process ?? {}, { oomScoreAdj: 77 })
    spec.mounts?.push({ destination: '/data', type: 'bind', source, options: ['rbind'] })
  })
  using bundle = makeBundle(busyboxSpec(['/bin/sh', '-c', script], change))
  chmodSync(join(bundle.rootfs, 'tmp'), 0o777)
  mkdirSync(join(bundle.rootfs, 'data'))
  const { stdout, stderr, code } = await programs.keelson.run(['run', '--bundle', bundle.path, nextId()])
  t.is(code, 0, stderr)
  t.deepEqual(stdout.trim().split('\n'), ['00 00 00 00', '0:0', 'from a closed folder', 'not mine', '77'])
  t.is(statSync(join(bundle.rootfs, 'tmp/made')).uid, 100_000)
})

busyboxTest('exec comes as the right user, with its capabilities, into the same namespaces', async (t) => {
  const programs = await sharedPrograms
  const change = inUserNamespace((spec) => {
    spec.linux?.namespaces?.push({ type: 'time' })
    Object.assign(spec.linux ?? {}, { timeOffsets: { boottime: { secs: 100_000 } } })
  })
  using bundle = openBundle(busyboxSpec(['/bin/sleep', '1000'], change))
  const id = nextId()
  const oci = programs.keelson
  const inside = async (...args: string[]) => {
    const { code, stdout, stderr } = await oci.run(['exec', ...args])
    t.is(code, 0, stderr)
    return stdout.trim()
  }
  t.like(await oci.run(['run', '--detach', '--bundle', bundle.path, id]), { code: 0 })
  try {
    const links =
      'for one in user pid net mnt ipc uts cgroup time; do readlink /proc/1/ns/$one; readlink /proc/self/ns/$one; done'
    const pairs = (await inside(id, '/bin/sh', '-c', links)).split('\n')
    for (let i = 0; i < pairs.length; i += 2) t.is(pairs[i], pairs[i + 1])
    t.is(await inside(id, '/bin/sh', '-c', 'id -u; id -g'), '0\n0')
    t.is(await inside('--user', '1000:1001', id, '/bin/sh', '-c', 'id -u; id -g'), '1000\n1001')
    t.regex(await inside(id, '/bin/cat', '/proc/self/timens_offsets'), /boottime\s+100000\s+0/)
    const capabilities = await inside(
      '--cap',
      'CAP_NET_ADMIN',
      id,
      '/bin/grep',
      'CapEff',
      '/proc/self/status',
    )
    t.true((BigInt(`0x${capabilities.split('\t')[1]}`) & (1n << 12n)) !== 0n)
  } finally {
    await oci.run(['delete', '--force', id])
  }
})

busyboxTest('CVE-2016-8867: a user that is not root has no capability, effective or ambient', async (t) => {
  const programs = await sharedPrograms
  const asUser = (spec: Spec) => Object.assign(spec.process ?? {}, { user: { uid: 1000, gid: 1000 } })
  for (const change of [inUserNamespace(asUser), (spec: Spec) => ({ ...spec, ...(asUser(spec) && {}) })]) {
    const spec = busyboxSpec(['/bin/grep', '^Cap\\(Eff\\|Amb\\|Prm\\)', '/proc/self/status'], change)
    const lines = (await run(t, programs.keelson, spec)).trim().split('\n')
    t.deepEqual(
      lines.map((line) => line.split('\t')[1]),
      ['0000000000000000', '0000000000000000', '0000000000000000'],
    )
  }
})

busyboxTest(
  'CVE-2021-43784: maps and paths of 65,536 bytes and more are refused, and every namespace that was asked for is made',
  async (t) => {
    const programs = await sharedPrograms
    const many = Array.from({ length: 6000 }, (_, index) => ({
      containerID: index,
      hostID: 100_000 + index,
      size: 1,
    }))
    const long = `/${'x'.repeat(70_000)}`
    const cases: [string, (spec: Spec) => void][] = [
      ['linux.uidMappings', ({ linux }) => Object.assign(linux ?? {}, { uidMappings: many })],
      [
        'linux.namespaces[1].path',
        ({ linux }) => Object.assign(linux?.namespaces?.[1] ?? {}, { path: long }),
      ],
      [
        'ENAMETOOLONG',
        (spec) => spec.mounts?.push({ destination: '/x', type: 'bind', source: long, options: ['bind'] }),
      ],
    ]
    for (const [words, change] of cases) {
      using bundle = openBundle(busyboxSpec(['/bin/true'], inUserNamespace(change)))
      const { code, stderr } = await programs.keelson.run(['run', '--bundle', bundle.path, nextId()])
      t.is(code, 1)
      t.true(stderr.includes(words), stderr.slice(0, 500))
      t.is(stderr.trim().split('\n').length, 1)
    }
    const bulky = inUserNamespace((spec) => {
      spec.process?.env?.push(`BULK=${'x'.repeat(100_000)}`)
      Object.assign(spec, { annotations: { bulk: 'y'.repeat(100_000) } })
    })
    t.like(await view(t, programs.keelson, bulky), {
      links: { user: 'new', pid: 'new', net: 'new', mnt: 'new', ipc: 'new', uts: 'new', cgroup: 'new' },
    })
  },
)
