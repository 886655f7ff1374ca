import test from 'ava'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import {
  type ClaimablePins,
  keepReady,
  type NamespacePins,
  openNamespacePins,
  type PinRequest,
  removePinNamespace,
} from '../../src/kernel/index.ts'
import { eventually } from '../support/eventually.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { inside } from '../support/inside.ts'
import { rootTest } from '../support/root.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const template = { shmSizeBytes: 1 << 20, sysctls: { 'net.ipv4.ip_unprivileged_port_start': '0' } }

async function scene(count = 2) {
  const directory = await temporaryDirectory()
  const { path: runDirectory } = directory
  const options = { template, count, clock: systemClock, log: silentLogger }
  const open = async () => keepReady(await openNamespacePins({ runDirectory, log: silentLogger }), options)
  /** Sees the ready ones too. */
  const bare = await openNamespacePins({ runDirectory, log: silentLogger })
  const ready = async () => (await bare.list()).filter((id) => id.startsWith('ready-'))
  return {
    open,
    bare,
    ready,
    full: () => eventually('the pool is full', async () => (await ready()).length === count),
    async [Symbol.asyncDispose]() {
      await bare[Symbol.asyncDispose]()
      await removePinNamespace({ runDirectory })
      await directory[Symbol.asyncDispose]()
    },
  }
}

const request = (id: string, more: Partial<PinRequest> = {}): PinRequest => ({
  id,
  network: true,
  ipc: true,
  uts: { hostname: `host-${id}` },
  ...template,
  ...more,
})

async function facts(pins: NamespacePins, id: string) {
  using net = await pins.open(id, 'network')
  using uts = await pins.open(id, 'uts')
  using ipc = await pins.open(id, 'ipc')
  using shm = await pins.open(id, 'shm')
  const [port, name, loopback, messages] = await Promise.all([
    inside({ net }, 'sysctl', '-n', 'net.ipv4.ip_unprivileged_port_start'),
    inside({ uts }, 'uname', '-n'),
    inside({ net }, 'ip', '-o', 'link', 'show', 'lo'),
    inside({ ipc }, 'sysctl', '-n', 'kernel.msgmax'),
  ])
  return { port, name, isUp: loopback.includes(',UP'), messages, hasShm: shm.fd > 0 }
}

rootTest(
  'a request that fits takes a ready set: name and further settings are its own, the pool fills again',
  async (t) => {
    await using made = await scene()
    await using pins = await made.open()
    await made.full()
    const [first] = await made.ready()
    await pins.create(
      request('a', { owner: { uid: 0, gid: 0 }, sysctls: { ...template.sysctls, 'kernel.msgmax': '4096' } }),
    )
    t.false((await made.ready()).includes(first ?? ''))
    t.deepEqual(await facts(pins, 'a'), {
      port: '0',
      name: 'host-a',
      isUp: true,
      messages: '4096',
      hasShm: true,
    })
    await pins.create(request('b', { sysctls: { 'net.ipv4.ip_unprivileged_port_start': '7' } }))
    t.like(await facts(pins, 'b'), { port: '7', name: 'host-b', messages: '8192' })
    t.deepEqual((await pins.list()).sort(), ['a', 'b'])
    await made.full()
    await pins.remove('a')
    t.deepEqual(await pins.list(), ['b'])
  },
)

rootTest('what does not fit, and what finds the pool empty, is made as ever', async (t) => {
  await using made = await scene(1)
  await using pins = await made.open()
  await made.full()
  const others: Partial<PinRequest>[] = [
    { shmSizeBytes: 1 << 21 },
    { owner: { uid: 1000, gid: 1000 } },
    { sysctls: {} },
    { network: false, sysctls: {} },
  ]
  for (const [index, more] of others.entries()) await pins.create(request(`other-${index}`, more))
  t.is((await made.ready()).length, 1)
  await Promise.all(['a', 'b', 'c'].map((id) => pins.create(request(id))))
  for (const id of ['a', 'b', 'c']) t.like(await facts(pins, id), { name: `host-${id}`, port: '0' })
})

rootTest(
  'a setting that is refused fails the request with its own words, and nothing of it stays',
  async (t) => {
    await using made = await scene(1)
    await using pins = await made.open()
    await made.full()
    const sysctls = { ...template.sysctls, 'net.ipv4.ip_default_ttl': 'many' }
    await t.throwsAsync(pins.create(request('a', { sysctls })), { message: /ip_default_ttl/ })
    t.deepEqual(await pins.list(), [])
  },
)

rootTest('an id that is taken is replaced, as without a pool', async (t) => {
  await using made = await scene(1)
  await using pins = await made.open()
  await made.full()
  await pins.create(request('a'))
  await made.full()
  await pins.create(request('a', { uts: { hostname: 'again' } }))
  t.like(await facts(pins, 'a'), { name: 'again' })
})

rootTest('what an earlier process kept ready is removed, and so is all at the end', async (t) => {
  await using made = await scene(1)
  await made.bare.create(request('ready-1-0'))
  await made.bare.create(request('pod'))
  const pins = await made.open()
  t.false((await made.ready()).includes('ready-1-0'))
  await made.full()
  await pins[Symbol.asyncDispose]()
  t.deepEqual(await made.bare.list(), ['pod'])
})

/** Pins that are only counted. */
function counted() {
  const made: string[] = []
  const pins: ClaimablePins = {
    create: async ({ id }) => void made.push(id),
    claim: async () => undefined,
    open: async () => Promise.reject(new Error('not here')),
    networkPath: (id) => id,
    remove: async () => undefined,
    list: async () => [],
    [Symbol.asyncDispose]: async () => undefined,
  }
  return { made, pins }
}

test('the pool fills when nothing was asked for a while, and at the latest some time after there is room', async (t) => {
  const clock = new FakeClock()
  const { made, pins: counting } = counted()
  await using pins = await keepReady(counting, { template, count: 1, clock, log: silentLogger })
  await clock.advance(20)
  t.is(made.length, 1)
  const later = async () => {
    await clock.advance(15)
    await pins.open('a', 'ipc').catch(() => undefined)
  }
  await pins.create(request('a'))
  for (let call = 0; call < 3; call++) await later()
  t.is(made.length, 1, 'the pod is still being made')
  await clock.advance(20)
  t.is(made.length, 2)
  await pins.create(request('b'))
  for (let call = 0; call < 8; call++) await later()
  t.is(made.length, 3, 'it did not wait for ever')
})
