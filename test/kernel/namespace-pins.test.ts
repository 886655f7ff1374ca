import { execFile, spawn } from 'node:child_process'
import { existsSync, fstatSync } from 'node:fs'
import { open, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { Cleanup, silentLogger } from '../../src/base/index.ts'
import { type NamespacePins, openNamespacePins, removePinNamespace } from '../../src/kernel/index.ts'
import { eventually } from '../support/eventually.ts'
import { inside } from '../support/inside.ts'
import { rootTest } from '../support/root.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const run = promisify(execFile)
const log = silentLogger

async function pinned(): Promise<AsyncDisposable & { pins: NamespacePins; runDirectory: string }> {
  const cleanup = new Cleanup()
  const { path: runDirectory } = await cleanup.use(temporaryDirectory())
  cleanup.defer(() => removePinNamespace({ runDirectory }))
  const pins = await cleanup.use(openNamespacePins({ runDirectory, log }))
  return { pins, runDirectory, [Symbol.asyncDispose]: () => cleanup[Symbol.asyncDispose]() }
}

async function mountsBelow(path: string): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8')
  return table.split('\n').filter((line) => line.split(' ')[4]?.startsWith(path))
}

rootTest(
  'a pod gets its own hostname, a loopback that is up, its sysctls and a /dev/shm of its size',
  async (t) => {
    await using made = await pinned()
    await made.pins.create({
      id: 'web-1',
      network: true,
      ipc: true,
      uts: { hostname: 'web-1.example' },
      shmSizeBytes: 8 << 20,
      sysctls: { 'net.ipv4.ip_unprivileged_port_start': '81', 'kernel.shmmni': '77' },
    })
    using net = await made.pins.open('web-1', 'network')
    using ipc = await made.pins.open('web-1', 'ipc')
    using uts = await made.pins.open('web-1', 'uts')
    t.is(await inside({ uts }, 'uname', '-n'), 'web-1.example')
    t.is(await inside({ net }, 'cat', '/proc/sys/net/ipv4/ip_unprivileged_port_start'), '81')
    t.is(await inside({ ipc }, 'cat', '/proc/sys/kernel/shmmni'), '77')
    t.regex(await inside({ net }, 'ip', '-brief', 'address', 'show', 'lo'), /127\.0\.0\.1\/8 ::1\/128/)
    using shm = await made.pins.open('web-1', 'shm')
    const { stdout } = await run('stat', ['-f', '-c', '%T %b %S', `/proc/${process.pid}/fd/${shm.fd}/.`])
    const [type, blocks, size] = stdout.trim().split(' ')
    t.is(type, 'tmpfs')
    t.is(Number(blocks) * Number(size), 8 << 20)
    t.not(await readFile('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'), '81\n')
  },
)

rootTest('pins are found again by another opener, and by a process that did not make them', async (t) => {
  await using made = await pinned()
  const script = `
    import { openNamespacePins } from ${JSON.stringify(import.meta.resolve('../../src/kernel/index.ts'))}
    const log = { debug() {} }
    const pins = await openNamespacePins({ runDirectory: ${JSON.stringify(made.runDirectory)}, log })
    await pins.create({ id: 'orphan', network: true, ipc: false, uts: { hostname: 'kept' } })`
  await run(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script])
  t.deepEqual(await made.pins.list(), ['orphan'])
  using uts = await made.pins.open('orphan', 'uts')
  t.is(await inside({ uts }, 'uname', '-n'), 'kept')
  await t.throwsAsync(made.pins.open('orphan', 'ipc'), { code: 'NOT_FOUND' })
})

rootTest('a program finds a network namespace by a path that the next process serves as well', async (t) => {
  await using made = await pinned()
  await made.pins.create({ id: 'web', network: true, ipc: false })
  const path = made.pins.networkPath('web')
  using net = await made.pins.open('web', 'network')
  const read = (command: string, ...args: string[]) => run(command, args).then(({ stdout }) => stdout.trim())
  const { ino } = fstatSync(net.fd)
  t.is(await read('stat', '-Lc', '%i', path), `${ino}`)
  const script = `
    import { openNamespacePins } from '${new URL('../../src/kernel/index.ts', import.meta.url)}'
    import { silentLogger } from '${new URL('../../src/base/index.ts', import.meta.url)}'
    const pins = await openNamespacePins({ runDirectory: '${made.runDirectory}', log: silentLogger })
    console.log(pins.networkPath('web'))`
  t.is(await read(process.execPath, '--import', 'tsx', '--input-type=module', '--eval', script), path)
  t.is(made.pins.networkPath('web'), path)
  t.is(await read('nsenter', `--net=${path}`, 'stat', '-Lc', '%i', '/proc/self/ns/net'), `${ino}`)
  await made.pins.remove('web')
  t.false(existsSync(path))
  await removePinNamespace({ runDirectory: made.runDirectory })
  t.deepEqual(await readdir(made.runDirectory), [])
})

rootTest('the host sees two mounts however many pods there are, and none after removal', async (t) => {
  await using made = await pinned()
  for (const id of ['a', 'b', 'c'])
    await made.pins.create({ id, network: true, ipc: true, uts: { hostname: id }, shmSizeBytes: 1 << 20 })
  t.is((await mountsBelow(made.runDirectory)).length, 2)
  await removePinNamespace({ runDirectory: made.runDirectory })
  t.deepEqual(await mountsBelow(made.runDirectory), [])
  await removePinNamespace({ runDirectory: made.runDirectory })
})

rootTest('removing is repeatable; creating again replaces', async (t) => {
  await using made = await pinned()
  await made.pins.create({ id: 'again', network: false, ipc: false, uts: { hostname: 'one' } })
  await made.pins.create({ id: 'again', network: false, ipc: false, uts: { hostname: 'two' } })
  {
    using uts = await made.pins.open('again', 'uts')
    t.is(await inside({ uts }, 'uname', '-n'), 'two')
  }
  await made.pins.remove('again')
  await made.pins.remove('again')
  t.deepEqual(await made.pins.list(), [])
  await t.throwsAsync(made.pins.open('again', 'uts'), { code: 'NOT_FOUND' })
  await t.throwsAsync(made.pins.open('again', 'shm'), { code: 'NOT_FOUND' })
})

rootTest('a pin that is no namespace any more reads as missing', async (t) => {
  await using made = await pinned()
  await made.pins.create({ id: 'torn', network: false, ipc: false, uts: { hostname: 'torn' } })
  // Unlinking a mount point of a foreign mount namespace takes the mount away, as a careless cleaner would.
  const pin = `${await pinRoot()}/torn/uts`
  await rm(pin)
  await writeFile(pin, '')
  await t.throwsAsync(made.pins.open('torn', 'uts'), { code: 'NOT_FOUND' })
  await made.pins.remove('torn')
  t.deepEqual(await made.pins.list(), [])
})

/** The root of the private mount namespace, through the descriptor that the open pins hold. */
async function pinRoot(): Promise<string> {
  for (const fd of await readdir('/proc/self/fd')) {
    const path = `/proc/self/fd/${fd}`
    const inside = await readdir(path).catch((): string[] => [])
    if (inside.includes('torn')) return path
  }
  throw new Error('no descriptor of the pins is open')
}

rootTest('a sysctl of a namespace that the pod shares with the host is refused', async (t) => {
  await using made = await pinned()
  const request = { id: 'host-net', network: false, ipc: true }
  await t.throwsAsync(made.pins.create({ ...request, sysctls: { 'net.ipv4.ip_forward': '1' } }), {
    code: 'INVALID_ARGUMENT',
    message: /network namespace/,
  })
  await t.throwsAsync(made.pins.create({ ...request, sysctls: { 'vm.swappiness': '1' } }), {
    code: 'INVALID_ARGUMENT',
  })
  await t.throwsAsync(made.pins.create({ ...request, id: '../up' }), { code: 'INVALID_ARGUMENT' })
})

rootTest('namespaces that are there already are pinned as they are, with what a process made', async (t) => {
  await using made = await pinned()
  const holder = spawn('unshare', ['--user', '--pid', '--net', '--fork', 'sleep', '1000'], {
    stdio: 'ignore',
  })
  const pid = await eventually('it sleeps', async () => {
    const children = await readFile(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').catch(() => '')
    return Number(children.trim()) || undefined
  })
  await using cleanup = new Cleanup()
  cleanup.defer(() => void process.kill(pid, 'SIGKILL'))
  const ns = async (name: string) => {
    const handle = await cleanup.use(open(`/proc/${pid}/ns/${name}`))
    return handle.fd
  }
  await made.pins.create({
    id: 'web-1',
    network: true,
    ipc: true,
    namespaceFds: { network: await ns('net'), pid: await ns('pid'), user: await ns('user') },
    shmSizeBytes: 1 << 20,
    owner: { uid: 1000, gid: 1001 },
    sysctls: { 'net.ipv4.ip_unprivileged_port_start': '82', 'kernel.shmmni': '78' },
  })
  for (const [kind, name] of [
    ['network', 'net'],
    ['pid', 'pid'],
    ['user', 'user'],
  ] as const) {
    using pin = await made.pins.open('web-1', kind)
    t.is((await stat(`/proc/self/fd/${pin.fd}`)).ino, (await stat(`/proc/${pid}/ns/${name}`)).ino)
  }
  using net = await made.pins.open('web-1', 'network')
  t.is(await inside({ net }, 'cat', '/proc/sys/net/ipv4/ip_unprivileged_port_start'), '82')
  using ipc = await made.pins.open('web-1', 'ipc')
  t.is(await inside({ ipc }, 'cat', '/proc/sys/kernel/shmmni'), '78')
  using shm = await made.pins.open('web-1', 'shm')
  const { uid, gid } = await stat(`/proc/self/fd/${shm.fd}/.`)
  t.deepEqual([uid, gid], [1000, 1001])
  await made.pins.remove('web-1')
  t.deepEqual(await made.pins.list(), [])
})

rootTest('whoever enters namespaces for us is back in those of the process before the answer', async (t) => {
  await using made = await pinned()
  const { pins } = made
  const request = { network: true, ipc: true, uts: { hostname: 'away' }, shmSizeBytes: 1 << 20 }
  await Promise.all(['one', 'two', 'three'].map((id) => pins.create({ id, ...request })))
  using shm = await pins.open('one', 'shm')
  t.true(shm.fd > 0)
  await pins.remove('two')
  const places = ['ns/net', 'ns/ipc', 'ns/uts', 'ns/mnt', 'root', 'cwd']
  const placesOf = (task: string) => Promise.all(places.map((place) => readlink(`${task}/${place}`)))
  const own = await placesOf('/proc/self')
  for (const id of await readdir('/proc/self/task')) {
    // One that ends just now is nowhere any more.
    const seen = await placesOf(`/proc/self/task/${id}`).catch(() => own)
    t.deepEqual(seen, own)
  }
})
