/** Mounts and layers with a map of ids: what the container sees, and what reaches the disk. */
import {
  chmodSync,
  chownSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { systemClock } from '../../src/base/index.ts'
import { lockFile, ownFd, startInit } from '../../src/kernel/index.ts'
import { compileCreate } from '../../src/oci/compile/create.ts'
import { prepareCreate } from '../../src/oci/create-container.ts'
import { createContext } from '../../src/oci/create-runtime.ts'
import { failureError } from '../../src/oci/failure.ts'
import { frameType } from '../../src/oci/frames.ts'
import type { CreateRequest, Mount, Rootfs, Spec } from '../../src/oci/index.ts'
import { closeInit } from '../../src/oci/init-channel.ts'
import { overlayFlags } from '../../src/oci/plan/constants.ts'
import { encodePlan, type Plan } from '../../src/oci/plan/index.ts'
import { hasBusybox } from '../support/bundle.ts'
import { type ContainerStage, containerStage, plainSpec } from '../support/container.ts'
import { rootTest } from '../support/root.ts'
import { skipWithout } from '../support/skip.ts'

const busyboxTest = skipWithout('busybox-static', hasBusybox, rootTest)
const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }]

function inUserNamespace(script: string, change: (spec: Spec) => void = () => {}): Spec {
  return plainSpec(['sh', '-c', script], (spec) => {
    spec.linux.namespaces = [...(spec.linux.namespaces ?? []), { type: 'user' }]
    Object.assign(spec.linux, { uidMappings: map, gidMappings: map })
    change(spec)
  })
}

const withoutUser = (script: string, change: (spec: Spec) => void) => plainSpec(['sh', '-c', script], change)

let count = 0

/** Runs it to its end and gives what it wrote. */
async function output(
  t: ExecutionContext,
  stage: ContainerStage,
  spec: Spec,
  rootfs: Rootfs = directory(stage),
): Promise<string[]> {
  const id = `c${count++}`
  const logPath = stage.logPath(id)
  const container = await stage.runtime.create({
    id,
    spec,
    bundle: '/',
    rootfs,
    life: { kind: 'monitored', logPath },
  })
  await container.start()
  const { exitCode } = await container.wait()
  const lines = (await readFile(logPath, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => line.split(' ').slice(3).join(' '))
  await container.delete()
  t.is(exitCode, 0, lines.join('\n'))
  return lines
}

function directory(stage: ContainerStage) {
  return { kind: 'directory', path: stage.rootfs } as const
}

/** A volume with a file of root's and one of user 5. */
function volume(stage: ContainerStage): string {
  const path = join(stage.folder, 'volume')
  mkdirSync(path, { recursive: true })
  for (const [name, owner] of [
    ['zero', 0],
    ['five', 5],
  ] as const) {
    writeFileSync(join(path, name), name)
    chownSync(join(path, name), owner, owner)
  }
  return path
}

const look = 'stat -c "%n %u %g" /data/zero /data/five; touch /data/made; stat -c %u /data/made'

function mounted(stage: ContainerStage, options: string[], more: Partial<Mount> = {}) {
  const source = volume(stage)
  mkdirSync(join(stage.rootfs, 'data'), { recursive: true })
  return (spec: Spec) => spec.mounts?.push({ destination: '/data', type: 'bind', source, options, ...more })
}

busyboxTest('idmap: the container’s own map on a bind; what it makes is root’s on the disk', async (t) => {
  await using stage = await containerStage('idmap')
  const plain = await output(t, stage, inUserNamespace('stat -c %u /data/zero', mounted(stage, ['rbind'])))
  t.deepEqual(plain, ['65534'])
  for (const option of ['idmap', 'ridmap']) {
    const lines = await output(t, stage, inUserNamespace(look, mounted(stage, ['rbind', option])))
    t.deepEqual(lines, ['/data/zero 0 0', '/data/five 5 5', '0'])
    t.is(statSync(join(stage.folder, 'volume/made')).uid, 0)
  }
})

busyboxTest(
  'uidMappings of a mount, and crun’s words for the same; relative ones count from the container',
  async (t) => {
    await using stage = await containerStage('idmap-own')
    const uidMappings = [{ containerID: 5, hostID: 100_007, size: 1 }]
    const gidMappings = [{ containerID: 5, hostID: 100_008, size: 1 }]
    const script = 'stat -c "%u %g" /data/five /data/zero'
    const expected = ['7 8', '65534 65534']
    for (const [options, more] of [
      [['bind'], { uidMappings, gidMappings }],
      [['bind', 'idmap=uids=5-100007-1;gids=5-100008-1'], {}],
      [['bind', 'idmap=uids=@5-7-1;gids=@5-8-1'], {}],
    ] as const)
      t.deepEqual(
        await output(t, stage, inUserNamespace(script, mounted(stage, [...options], more))),
        expected,
      )
    const mappings = [{ containerID: 5, hostID: 70, size: 1 }]
    const outside = withoutUser(
      'stat -c %u /data/five',
      mounted(stage, ['bind'], { uidMappings: mappings, gidMappings: mappings }),
    )
    t.deepEqual(await output(t, stage, outside), ['70'])
  },
)

busyboxTest(
  'a read-only root below closed folders, a volume with `ro`, an executable of user 5',
  async (t) => {
    await using stage = await containerStage('idmap-ro')
    chmodSync(stage.folder, 0o700)
    const script = '(touch /data/x) 2>/dev/null || echo read-only; cat /data/five; echo through > /dev/stdout'
    const lines = await output(t, stage, inUserNamespace(script, mounted(stage, ['bind', 'ro', 'idmap'])))
    t.deepEqual(lines, ['read-only', 'fivethrough'])
  },
)

busyboxTest(
  'a map that cannot be had is refused: no bind, unreadable words, ids that the container has not',
  async (t) => {
    await using stage = await containerStage('idmap-bad')
    const cases: [RegExp, (spec: Spec) => void][] = [
      [
        /mounts\[\d+\]: only a bind mount/,
        ({ mounts }) => mounts?.push({ destination: '/t', type: 'tmpfs', options: ['idmap'] }),
      ],
      [/cannot be read/, mounted(stage, ['bind', 'idmap=uids=1-2'])],
      [/does not map all of these ids/, mounted(stage, ['bind', 'idmap=uids=@0-65535-2;gids=@0-0-1'])],
      [/cannot have a map of ids/, mounted(stage, ['bind', 'idmap'], { source: '/proc/sys' })],
    ]
    for (const [words, change] of cases) {
      const request = {
        id: 'bad',
        spec: inUserNamespace('true', change),
        bundle: '/',
        rootfs: directory(stage),
      }
      await t.throwsAsync(stage.runtime.create({ ...request, life: { kind: 'monitored' } }), {
        message: words,
      })
    }
    t.deepEqual(await stage.runtime.list(), [])
  },
)

busyboxTest(
  'an overlay shows the layers of root as the container root’s, and writes them back as root’s',
  async (t) => {
    await using stage = await containerStage('idmap-overlay')
    for (const folder of ['up', 'work', 'second/etc'])
      mkdirSync(join(stage.folder, 's', folder), { recursive: true })
    writeFileSync(join(stage.folder, 's/second/etc/five'), 'x')
    chownSync(join(stage.folder, 's/second/etc/five'), 5, 5)
    const at = (name: string) => join(stage.folder, 's', name)
    const rootfs = {
      kind: 'overlay',
      lower: [at('second'), stage.rootfs],
      upper: at('up'),
      work: at('work'),
    } as const
    const script = 'stat -c "%n %u" /bin /etc/five /etc/passwd; echo more >> /etc/passwd; mkdir /new; id -u'
    const lines = await output(t, stage, inUserNamespace(script), rootfs)
    t.deepEqual(lines, ['/bin 0', '/etc/five 5', '/etc/passwd 0', '0'])
    for (const name of ['up/etc/passwd', 'up/new']) t.is(statSync(at(name)).uid, 0, name)
  },
)

/** Makes it by the plan as `change` leaves it, up to the moment before its program, and gives its pid. */
async function withPlan(
  stage: ContainerStage,
  request: CreateRequest,
  change: (plan: Plan) => Plan,
  look: (pid: number) => void,
): Promise<void> {
  const context = createContext({
    stateRoot: join(stage.folder, 'state'),
    instance: stage.instance,
    clock: systemClock,
  })
  const directory = join(context.stateRoot, request.id)
  mkdirSync(directory, { recursive: true })
  using lock = await lockFile(join(directory, 'lock'))
  using directoryFd = ownFd(openSync(directory, 'r'))
  const place = { directory, directoryFd: directoryFd.fd, lockFd: lock.fd, namespaceFds: {} }
  const { input } = await prepareCreate(context, request, place)
  const { plan, inherited } = compileCreate(input)
  const started = await startInit({ plan: encodePlan(change(plan)), inherited })
  try {
    if (started.type === frameType.failure) throw failureError(started.payload, plan, 'create', request.id)
    look(started.payload.readUInt32LE(0))
  } finally {
    await closeInit(started)
  }
}

busyboxTest('the same on a kernel that takes layers only where they are attached', async (t) => {
  await using stage = await containerStage('idmap-classic')
  for (const folder of ['up', 'work']) mkdirSync(join(stage.folder, 's', folder), { recursive: true })
  const at = (name: string) => join(stage.folder, 's', name)
  using null_ = ownFd(openSync('/dev/null', 'r+'))
  for (const folder of ['above/dir', 'below/dir']) mkdirSync(at(folder), { recursive: true })
  for (const name of ['above/both', 'above/dir/inner', 'below/both', 'below/dir/deep'])
    writeFileSync(at(name), name)
  const stack = [at('above'), at('below')]
  const volume = (destination: string) => ({ destination, type: 'bind', source: 'stack', options: ['ro'] })
  const request: CreateRequest = {
    id: 'classic',
    spec: inUserNamespace('true', ({ mounts }) =>
      mounts?.push({ destination: '/made', type: 'tmpfs' }, volume('/stack'), volume('/part')),
    ),
    layerMounts: { '/stack': { lower: stack }, '/part': { lower: stack, path: 'dir' } },
    bundle: '/',
    rootfs: { kind: 'overlay', lower: [stage.rootfs], upper: at('up'), work: at('work') },
    life: { kind: 'detached', stdio: [null_.fd, null_.fd, null_.fd] },
  }
  const classic = (plan: Plan): Plan => ({
    ...plan,
    parent: plan.parent.map((one) =>
      one.op === 'overlayTree' || one.op === 'layersTree'
        ? { ...one, flags: one.flags | overlayFlags.classic }
        : one,
    ),
  })
  const mounts = () => readFileSync('/proc/self/mountinfo', 'utf8')
  const before = mounts()
  await withPlan(stage, request, classic, (pid) => {
    const root = `/proc/${pid}/root`
    t.is(statSync(join(root, 'bin')).uid, 100_000)
    t.regex(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'), / \/ \/ rw.* - overlay /)
    t.is(statSync(at('up/made')).uid, 0)
    t.is(readFileSync(join(root, 'stack/both'), 'utf8'), 'above/both')
    t.deepEqual(readdirSync(join(root, 'part')), ['deep', 'inner'])
    t.is(statSync(join(root, 'part/deep')).uid, 100_000)
  })
  t.is(mounts(), before)
})

busyboxTest('a user namespace that is handed in maps the layers too', async (t) => {
  await using stage = await containerStage('idmap-handed')
  const life = { kind: 'monitored', logPath: stage.logPath('holder') } as const
  const spec = inUserNamespace('sleep 1000')
  const holder = await stage.runtime.create({
    id: 'holder',
    spec,
    bundle: '/',
    rootfs: directory(stage),
    life,
  })
  const { pid } = await holder.state()
  using user = ownFd(openSync(`/proc/${pid}/ns/user`, 'r'))
  using network = ownFd(openSync(`/proc/${pid}/ns/net`, 'r'))
  for (const folder of ['up', 'work']) mkdirSync(join(stage.folder, 's', folder), { recursive: true })
  const at = (name: string) => join(stage.folder, 's', name)
  const logPath = stage.logPath('guest')
  const guest = await stage.runtime.create({
    id: 'guest',
    spec: inUserNamespace(
      'id -u; readlink /proc/self/ns/user; readlink /proc/self/ns/net; stat -c %u /bin; touch /new',
    ),
    bundle: '/',
    rootfs: { kind: 'overlay', lower: [stage.rootfs], upper: at('up'), work: at('work') },
    namespaceFds: { user: user.fd, network: network.fd },
    life: { kind: 'monitored', logPath },
  })
  await guest.start()
  t.like(await guest.wait(), { exitCode: 0 })
  const lines = (await readFile(logPath, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => line.split(' ').slice(3).join(' '))
  t.deepEqual(lines, ['0', readlinkSync(`/proc/${pid}/ns/user`), readlinkSync(`/proc/${pid}/ns/net`), '0'])
  t.is(statSync(at('up/new')).uid, 0)
})
