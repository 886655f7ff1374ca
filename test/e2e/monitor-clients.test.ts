/**
 * Whoever may connect to a container's sockets (its own user, on the host) and is out to harm it: the monitor lives, the
 * container is unharmed, and what the monitor holds is bounded. And a monitor that is stopped or killed.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { systemClock } from '../../src/base/index.ts'
import { encodeFrame, frameType } from '../../src/oci/frames.ts'
import type { Container } from '../../src/oci/index.ts'
import { buildAttacker } from '../support/attacker.ts'
import { createRequest, idleContainer } from '../support/contained.ts'
import { type ContainerStage, containerStage, plainSpec } from '../support/container.ts'
import { eventually } from '../support/eventually.ts'
import { rootTest } from '../support/root.ts'

const run = promisify(execFile)

/** As many as a monitor talks to at a time (native/init/monitor.h). */
const clientsMax = 32

const parentOf = (pid: number) =>
  Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
const descriptorsOf = (pid: number) => readdirSync(`/proc/${pid}/fd`).length

/** How many it has at rest: what it closes a moment after we heard of it is no longer counted. */
async function idleDescriptorsOf(pid: number): Promise<number> {
  for (let count = descriptorsOf(pid), quietMs = 0; ; ) {
    await systemClock.sleep(20)
    const now = descriptorsOf(pid)
    quietMs = now === count ? quietMs + 20 : 0
    count = now
    if (quietMs >= 200) return count
  }
}
const residentKib = (pid: number) =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])

function socketIn(stage: ContainerStage, id: string, name: string): string {
  return join(stage.folder, 'state', id, name)
}

async function connectTo(path: string): Promise<Socket> {
  for (;;) {
    const socket = connect(path)
    socket.on('error', () => undefined)
    try {
      await once(socket, 'connect')
      return socket
    } catch {
      await systemClock.sleep(5) // its queue is full
    }
  }
}

/** `echo tick` without end, and what its monitor is. */
async function ticking(stage: ContainerStage, id: string) {
  const spec = plainSpec(['sh', '-c', 'while :; do echo tick; sleep 0.02; done'])
  const container = await idleContainer(stage, id, spec)
  const { pid } = await container.state()
  const ticks = () => readFileSync(stage.logPath(id), 'utf8').split('\n').length
  return { container, pid, monitor: parentOf(pid), ticks }
}

async function stillTicks(ticks: () => number): Promise<void> {
  const before = ticks()
  await eventually('the container’s output goes on', () => ticks() > before + 2)
}

/** A ping of ours is answered. */
async function answers(path: string): Promise<void> {
  const socket = await connectTo(path)
  socket.write(encodeFrame(25))
  socket.write(encodeFrame(frameType.ping))
  await eventually('a ping is answered', () => (socket.bytesRead > 12 ? true : undefined))
  socket.destroy()
}

rootTest('a thousand clients with garbage, half frames, descriptors and nothing at all', async (t) => {
  await using stage = await containerStage('clients')
  const { container, monitor, ticks } = await ticking(stage, 'box')
  await using _ = container
  const path = socketIn(stage, 'box', 'monitor.sock')
  await answers(path)
  const idle = await idleDescriptorsOf(monitor)
  const messages = [
    () => randomBytes(64),
    () => encodeFrame(frameType.stdin, randomBytes(100)).subarray(0, 50),
    () => Buffer.from([1, frameType.stdin, 0, 0, 0xff, 0xff, 0xff, 0xff]),
    () => Buffer.from([1, frameType.attach]),
    () => encodeFrame(frameType.resize, Buffer.alloc(2)),
    () => Buffer.concat(Array.from({ length: 50 }, () => encodeFrame(frameType.ping))),
    () => Buffer.alloc(0),
  ]
  for (let i = 0; i < 1000; i += 20) {
    const sockets = await Promise.all(Array.from({ length: 20 }, () => connectTo(path)))
    sockets.forEach((socket, index) => {
      socket.write(messages[(i + index) % messages.length]?.() ?? '')
    })
    t.true(descriptorsOf(monitor) <= idle + clientsMax)
    for (const socket of sockets) socket.destroy()
  }
  const { stdout } = await run(buildAttacker(stage.folder), ['flood', path])
  t.is(stdout, 'flooded\n')
  await answers(path)
  await eventually('every descriptor is given back', () => descriptorsOf(monitor) === idle)
  t.true(residentKib(monitor) < 512, `${residentKib(monitor)} KiB`)
  await stillTicks(ticks)
})

rootTest(
  'clients that take every place and never read: the container is waited for, killed and deleted',
  async (t) => {
    await using stage = await containerStage('full')
    const { container, monitor, ticks } = await ticking(stage, 'box')
    await using _ = container
    const path = socketIn(stage, 'box', 'monitor.sock')
    const idle = await idleDescriptorsOf(monitor)
    const taken = await Promise.all(Array.from({ length: clientsMax }, () => connectTo(path)))
    for (const [index, socket] of taken.entries()) {
      socket.pause()
      if (index % 2 === 0) socket.write(Buffer.from([1, frameType.stdin, 0, 0]))
    }
    await eventually('every place is taken', () => descriptorsOf(monitor) === idle + clientsMax)
    const beyond = await Promise.all(Array.from({ length: 10 }, () => connectTo(path)))
    const waited = (await stage.runtime.get('box')).wait()
    await stillTicks(ticks)
    t.is((await container.state()).status, 'running', 'to be many is no reason to lose a container')
    await container.kill('SIGKILL')
    t.like(await waited, { exitCode: 137, signal: 9 })
    t.is((await waited).reason, undefined)
    for (const socket of [...taken, ...beyond]) socket.destroy()
  },
)

rootTest(
  'an attacher that does not read is left behind, one that wrote to a full stdin is not for ever',
  async (t) => {
    await using stage = await containerStage('slow')
    const id = 'box'
    const spec = plainSpec(['sh', '-c', 'sleep 1; yes 0123456789 | head -c 4000000; sleep 1000'])
    const request = createRequest(stage, id, spec)
    const container = await stage.runtime.create({
      ...request,
      life: { kind: 'monitored', logPath: stage.logPath(id), stdin: true },
    })
    await using _ = { [Symbol.asyncDispose]: () => container.delete({ force: true }) }
    await container.start()
    const monitor = parentOf((await container.state()).pid)
    const path = socketIn(stage, id, 'monitor.sock')
    const idle = await idleDescriptorsOf(monitor)
    const deaf = await connectTo(path)
    deaf.pause()
    deaf.write(encodeFrame(frameType.attach))
    await eventually('who does not read is let go', () => descriptorsOf(monitor) === idle, 20_000)
    t.is((await container.state()).status, 'running')
    deaf.destroy()
    // Nobody reads this container's stdin: what does not fit waits, until somebody ends it for all.
    const writer = await connectTo(path)
    for (let i = 0; i < 40; i++) writer.write(encodeFrame(frameType.stdin, Buffer.alloc(4096)))
    const other = await connectTo(path)
    await systemClock.sleep(50)
    other.write(encodeFrame(frameType.stdinEnd))
    writer.write(encodeFrame(frameType.ping))
    await eventually('the writer is heard again', () => writer.bytesRead > 12)
    for (const socket of [writer, other]) socket.destroy()
    await eventually('both are gone', () => descriptorsOf(monitor) === idle - 1)
  },
)

rootTest('who connects to the start socket and is silent does not keep the start back', async (t) => {
  await using stage = await containerStage('silent')
  const container = await stage.runtime.create(createRequest(stage, 'box', plainSpec(['sleep', '1000'])))
  await using _ = { [Symbol.asyncDispose]: () => container.delete({ force: true }) }
  const path = socketIn(stage, 'box', 'start.sock')
  const { pid } = await container.state()
  const idle = await idleDescriptorsOf(pid)
  await run(buildAttacker(stage.folder), ['flood', path])
  await eventually('what came with garbage is closed', () => descriptorsOf(pid) === idle)
  const silent = await connectTo(path)
  const begunMs = performance.now()
  await container.start()
  t.true(performance.now() - begunMs < 10_000)
  t.is((await container.state()).status, 'running')
  silent.destroy()
})

const within = async <T>(t: { true(is: boolean, message: string): void }, what: string, work: Promise<T>) => {
  const begunMs = performance.now()
  const result = await work
  t.true(performance.now() - begunMs < 9_000, `${what} took ${performance.now() - begunMs} ms`)
  return result
}

rootTest('a monitor that is stopped: state, kill and delete work, and what needs it says so', async (t) => {
  await using stage = await containerStage('stopped')
  const make = async (id: string) => (await ticking(stage, id)) as Awaited<ReturnType<typeof ticking>>
  const { container, monitor, pid } = await make('box')
  process.kill(monitor, 'SIGSTOP')
  try {
    t.is((await within(t, 'state', container.state())).status, 'running')
    const reopened = t.throwsAsync(container.reopenLog(), { code: 'DEADLINE_EXCEEDED' })
    t.regex(String(await within(t, 'reopenLog', reopened)), /the monitor of container box does not answer/)
    await within(t, 'kill', container.kill('SIGKILL'))
    await eventually('the process has ended', () => isGone(pid))
    const refused = t.throwsAsync((container as Container).delete(), { code: 'DEADLINE_EXCEEDED' })
    t.false(String(await within(t, 'delete', refused)).includes('\n'))
    await within(t, 'delete --force', container.delete({ force: true }))
    t.deepEqual(await stage.runtime.list(), [])
  } finally {
    process.kill(monitor, 'SIGCONT')
  }
  await eventually('it leaves when it goes on', () => isGone(monitor))
})

rootTest('a monitor that is killed: the container is told to be lost, killed and deleted', async (t) => {
  await using stage = await containerStage('killed')
  const { container, monitor } = await ticking(stage, 'box')
  const waited = container.wait()
  process.kill(monitor, 'SIGKILL')
  t.like(await within(t, 'wait', waited), { exitCode: 137, reason: 'MonitorLost' })
  t.is((await within(t, 'state', container.state())).status, 'stopped')
  await t.throwsAsync(within(t, 'kill', container.kill('SIGTERM')), { code: 'FAILED_PRECONDITION' })
  await within(t, 'delete', container.delete())
  t.deepEqual(await stage.runtime.list(), [])
})

/** Ended, whether or not its parent has taken notice. */
function isGone(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return true
  }
}
