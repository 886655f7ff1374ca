/**
 * As much of systemd as the driver talks to, on a message bus of its own (a real dbus-daemon): units are cgroups that
 * are really made, processes are really moved, and stopping a unit ends what is in it.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { systemClock } from '../../src/base/index.ts'
import { type Value, Variant } from '../../src/dbus/codec.ts'
import { encodeMessage, type Message, MessageReader, messageType } from '../../src/dbus/message.ts'
import { expandSlice } from '../../src/oci/cgroup/systemd/unit.ts'
import { killCgroup, planCgroup, readCgroupLayout, removeCgroup } from '../../src/oci/index.ts'
import { temporaryDirectory } from './temporary-directory.ts'

export interface FakeSystemd extends AsyncDisposable {
  address: string
  /** Properties of the units there are, plainly. */
  units: Map<string, Record<string, unknown>>
  calls: string[]
}

const busConfig = (
  path: string,
) => `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=${path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`

export async function fakeSystemd(): Promise<FakeSystemd> {
  const directory = await temporaryDirectory()
  const path = join(directory.path, 'bus')
  writeFileSync(join(directory.path, 'bus.conf'), busConfig(path))
  const daemon = spawn(
    'dbus-daemon',
    ['--nofork', '--print-address', `--config-file=${join(directory.path, 'bus.conf')}`],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  )
  await once(daemon.stdout, 'data') // its address, once it listens
  const socket = connect(path)
  await once(socket, 'connect')
  const fake = new Service(socket)
  await fake.begin()
  return {
    address: `unix:path=${path}`,
    units: fake.units,
    calls: fake.calls,
    async [Symbol.asyncDispose]() {
      socket.destroy()
      daemon.kill()
      await once(daemon, 'exit')
      await directory[Symbol.asyncDispose]()
    },
  }
}

const layout = readCgroupLayout()
const manager = { path: '/org/freedesktop/systemd1', interface: 'org.freedesktop.systemd1.Manager' }

class Service {
  readonly units = new Map<string, Record<string, unknown>>()
  readonly calls: string[] = []
  readonly #socket: Socket
  #serial = 0

  constructor(socket: Socket) {
    this.#socket = socket
  }

  async begin(): Promise<void> {
    this.#socket.write(`\0AUTH EXTERNAL ${Buffer.from(String(process.getuid?.())).toString('hex')}\r\n`)
    await once(this.#socket, 'data')
    this.#socket.write('BEGIN\r\n')
    const reader = new MessageReader()
    this.#socket.on('data', (chunk: Buffer) => {
      for (const message of reader.push(chunk))
        if (message.type === messageType.call) void this.#answer(message)
    })
    const bus = {
      destination: 'org.freedesktop.DBus',
      path: '/org/freedesktop/DBus',
      interface: 'org.freedesktop.DBus',
    }
    this.#send({ ...bus, type: messageType.call, member: 'Hello', signature: '', body: [] })
    const owned = once(this.#socket, 'data')
    await owned
    this.#send({
      ...bus,
      type: messageType.call,
      member: 'RequestName',
      signature: 'su',
      body: ['org.freedesktop.systemd1', 0],
    })
    await once(this.#socket, 'data')
  }

  #send(message: Omit<Message, 'serial' | 'flags'>): void {
    this.#socket.write(encodeMessage({ flags: 0, serial: ++this.#serial, ...message }))
  }

  async #answer(call: Message): Promise<void> {
    this.calls.push(call.member ?? '')
    const to = { destination: call.sender ?? '', replySerial: call.serial }
    try {
      const [signature, body] = await this.#carryOut(call)
      this.#send({ ...to, type: messageType.reply, signature, body })
    } catch (error) {
      const { message } = error as Error
      const errorName = `org.freedesktop.systemd1.${/^\w+$/.test(message) ? message : 'Failed'}`
      this.#send({ ...to, type: messageType.error, errorName, signature: 's', body: [message] })
    }
  }

  async #carryOut({ member, body }: Message): Promise<[string, Value[]]> {
    const [first, second, third] = body
    const unit = String(first)
    if (member === 'Get') return ['v', [new Variant('s', second === 'Version' ? '252.1' : '/')]]
    if (member === 'StartTransientUnit') return ['o', [await this.#start(unit, third as [string, Variant][])]]
    if (member === 'StopUnit') return ['o', [await this.#stop(unit)]]
    if (member === 'SetUnitProperties') {
      const known = this.units.get(unit)
      if (!known) throw new Error('NoSuchUnit')
      Object.assign(known, plain(third as [string, Variant][]))
    }
    return ['', []]
  }

  async #start(unit: string, properties: [string, Variant][]): Promise<string> {
    if (this.units.has(unit)) throw new Error('UnitExists')
    const given = plain(properties)
    this.units.set(unit, given)
    const { leaves, directories, seeds } = planOf(unit, given)
    for (const directory of directories) mkdirSync(directory, { recursive: true })
    for (const { path, from } of seeds)
      if (readFileSync(path, 'utf8').trim() === '') writeFileSync(path, readFileSync(from))
    for (const leaf of leaves)
      for (const pid of given['PIDs'] as number[]) writeFileSync(join(leaf, 'cgroup.procs'), String(pid))
    return this.#done(unit)
  }

  async #stop(unit: string): Promise<string> {
    const given = this.units.get(unit)
    if (!given) throw new Error('NoSuchUnit')
    const { leaves } = planOf(unit, given)
    await killCgroup(leaves)
    await removeCgroup(leaves, { clock: systemClock })
    this.units.delete(unit)
    return this.#done(unit)
  }

  /** Told before the caller has its answer, as systemd may do. */
  #done(unit: string): string {
    const job = `/org/freedesktop/systemd1/job/${++this.#serial}`
    const body = [this.#serial, job, unit, 'done']
    this.#send({ ...manager, type: messageType.signal, member: 'JobRemoved', signature: 'uoss', body })
    return job
  }
}

function planOf(unit: string, { Slice: slice }: Record<string, unknown>) {
  return planCgroup({ layout, path: `${expandSlice(String(slice))}/${unit}`, deviceRules: false })
}

function plain(properties: [string, Variant][]): Record<string, unknown> {
  return Object.fromEntries(properties.map(([name, { value }]) => [name, value]))
}

export const hasDbusDaemon = ['/usr/bin/dbus-daemon', '/bin/dbus-daemon'].some((path) => existsSync(path))

/** The lines of /proc/PID/cgroup. */
export const groupsOf = (pid: number) => readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n')
