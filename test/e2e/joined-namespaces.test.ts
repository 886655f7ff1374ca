/** Namespaces that are there already: of every type, alone and together with new ones, also with a user namespace. */
import { chmodSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Spec } from '../../src/oci/spec.ts'
import { busyboxSpec, hasBusybox, makeBundle } from '../support/bundle.ts'
import { ociPrograms } from '../support/oci-programs.ts'
import { rootTest } from '../support/root.ts'
import { skipWithout } from '../support/skip.ts'

const sharedPrograms = ociPrograms()
test.after.always(async () => (await sharedPrograms)[Symbol.asyncDispose]())
const busyboxTest = skipWithout('busybox-static', hasBusybox, rootTest)
const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
const procNames = {
  user: 'user',
  pid: 'pid',
  network: 'net',
  mount: 'mnt',
  ipc: 'ipc',
  uts: 'uts',
  cgroup: 'cgroup',
  time: 'time',
}
type Type = keyof typeof procNames
const all = Object.keys(procNames) as Type[]
const plainTypes = all.filter((type) => type !== 'user')

let count = 0
const nextId = () => `kt-join-${process.pid}-${count++}`

function withNamespaces(namespaces: { type: string; path?: string }[], spec: Spec): Spec {
  const isNewUser = namespaces.some(({ type, path }) => type === 'user' && path === undefined)
  const linux = { ...spec.linux, namespaces, ...(isNewUser ? { uidMappings: map, gidMappings: map } : {}) }
  const changed = structuredClone({ ...spec, linux })
  if (!namespaces.some(({ type }) => type === 'uts')) delete changed.hostname
  return changed
}

interface Holder {
  pid: number
  links: Record<Type, string>
}

async function links(pid: number | 'self'): Promise<Record<Type, string>> {
  const { readlinkSync } = await import('node:fs')
  return Object.fromEntries(
    all.map((type) => [type, readlinkSync(`/proc/${pid}/ns/${procNames[type]}`)]),
  ) as Record<Type, string>
}

/** A container that sleeps in namespaces of its own. */
async function withHolder(
  t: ExecutionContext,
  types: Type[],
  body: (holder: Holder) => Promise<void>,
): Promise<void> {
  const { keelson } = await sharedPrograms
  const spec = withNamespaces(
    types.map((type) => ({ type })),
    busyboxSpec(['/bin/sleep', '1000']),
  )
  using bundle = makeBundle(spec)
  chmodSync(bundle.path, 0o755)
  const id = nextId()
  const started = await keelson.run(['run', '--detach', '--bundle', bundle.path, id])
  t.is(started.code, 0, started.stderr)
  try {
    const { pid } = JSON.parse((await keelson.run(['state', id])).stdout)
    await body({ pid, links: await links(pid) })
  } finally {
    await keelson.run(['delete', '--force', id])
  }
}

/** Where a container is that joins these and makes those. */
async function placeOf(
  t: ExecutionContext,
  holder: number,
  joined: Type[],
  made: Type[],
): Promise<Record<Type, string>> {
  const { keelson } = await sharedPrograms
  const namespaces = [
    ...joined.map((type) => ({ type, path: `/proc/${holder}/ns/${procNames[type]}` })),
    ...made.map((type) => ({ type })),
  ]
  const script = `for one in ${all.map((type) => procNames[type]).join(' ')}; do readlink /proc/self/ns/$one; done`
  using bundle = makeBundle(withNamespaces(namespaces, busyboxSpec(['/bin/sh', '-c', script])))
  chmodSync(bundle.path, 0o755)
  const { code, stdout, stderr } = await keelson.run(['run', '--bundle', bundle.path, nextId()])
  t.is(code, 0, `joined ${joined}, made ${made}: ${stderr}`)
  const lines = stdout.trim().split('\n')
  return Object.fromEntries(all.map((type, index) => [type, lines[index]])) as Record<Type, string>
}

async function check(t: ExecutionContext, holder: Holder, joined: Type[], made: Type[]): Promise<void> {
  const place = await placeOf(t, holder.pid, joined, made)
  const host = await links('self')
  for (const type of all) {
    const at = `${type}, joined ${joined}, made ${made}`
    if (joined.includes(type)) t.is(place[type], holder.links[type], at)
    else if (made.includes(type)) t.true(place[type] !== host[type] && place[type] !== holder.links[type], at)
    else t.is(place[type], host[type], at)
  }
}

busyboxTest('each type by itself beside new ones, and all of them together', async (t) => {
  await withHolder(t, plainTypes, async (holder) => {
    for (const type of plainTypes) {
      // The procfs that is found in a mount namespace shows the pid namespace that it was mounted for.
      const joined: Type[] = type === 'mount' ? ['mount', 'pid'] : [type]
      await check(
        t,
        holder,
        joined,
        plainTypes.filter((one) => !joined.includes(one)),
      )
    }
    await check(t, holder, plainTypes, [])
  })
})

busyboxTest('a user namespace, with others of it joined or made', async (t) => {
  await withHolder(t, all, async (holder) => {
    await check(t, holder, ['user'], plainTypes)
    await check(
      t,
      holder,
      ['user', 'network', 'pid'],
      plainTypes.filter((one) => one !== 'network' && one !== 'pid'),
    )
    await check(t, holder, all, [])
  })
})

busyboxTest('a new user namespace with namespaces of the host’s owner', async (t) => {
  await withHolder(t, plainTypes, async (holder) => {
    const made: Type[] = ['user', 'pid', 'mount', 'uts', 'ipc']
    await check(t, holder, ['network', 'cgroup'], made)
  })
})

busyboxTest('what is no namespace, or one of another type, is refused by its path', async (t) => {
  const { keelson } = await sharedPrograms
  for (const [path, words] of [
    ['/proc/self/ns/uts', /linux\.namespaces\[1\]\.path: .*is a namespace of type uts, not of type network/],
    ['/etc/passwd', /linux\.namespaces\[1\]\.path: .*is no namespace, not of type network/],
    ['/proc/self/ns/none', /linux\.namespaces\[1\]\.path/],
  ] as const) {
    const id = nextId()
    using bundle = makeBundle(
      withNamespaces([{ type: 'mount' }, { type: 'network', path }], busyboxSpec(['/bin/true'])),
    )
    const { code, stderr } = await keelson.run(['run', '--bundle', bundle.path, id])
    t.is(code, 1)
    t.regex(stderr, words)
    t.false(existsSync(join(keelson.stateRoot, id)))
  }
})

busyboxTest('a time namespace: the clocks are as far on as was asked, and exec is in it', async (t) => {
  const { keelson } = await sharedPrograms
  const change = (spec: Spec): Spec => ({
    ...spec,
    linux: {
      ...spec.linux,
      timeOffsets: { boottime: { secs: 5_000_000, nanosecs: 5 }, monotonic: { secs: 7 } },
    },
  })
  const namespaces = [...plainTypes.filter((type) => type !== 'time'), 'time'].map((type) => ({ type }))
  const script = 'cat /proc/self/timens_offsets; cut -d. -f1 /proc/uptime; sleep 1000'
  using bundle = makeBundle(change(withNamespaces(namespaces, busyboxSpec(['/bin/sh', '-c', script]))))
  const id = nextId()
  const started = await keelson.run(['run', '--detach', '--bundle', bundle.path, id])
  t.is(started.code, 0, started.stderr)
  try {
    const told = await keelson.run([
      'exec',
      id,
      '/bin/sh',
      '-c',
      'cat /proc/self/timens_offsets; cut -d. -f1 /proc/uptime',
    ])
    t.regex(told.stdout, /monotonic\s+7\s+0/)
    t.regex(told.stdout, /boottime\s+5000000\s+5/)
    const { readFileSync } = await import('node:fs')
    const here = Number(readFileSync('/proc/uptime', 'utf8').split('.')[0])
    const there = Number(told.stdout.trim().split('\n').at(-1))
    t.true(Math.abs(there - here - 5_000_000) < 30, `${there} inside, ${here} outside`)
  } finally {
    await keelson.run(['delete', '--force', id])
  }
})
